"""What `make wheel` builds: the same bytes anywhere, whole, and working where it is installed."""

import os
import shutil
import subprocess
import sys
import tarfile
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import Distribution, PathDistribution, distribution
from pathlib import Path
from urllib.parse import urljoin
from zipfile import Path as ZipPath
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

from tests.docs.blocks import ROOT, blocks
from tests.support.server import announced

BIN = Path(sys.executable).parent
NOT_IN_THE_SDIST = (".ci/", ".github/")
README = ROOT / "README.md"


@pytest.fixture(scope="module")
def tracked() -> list[str]:
    listing = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others"]
    done = subprocess.run([*listing, "--exclude-standard"], check=True, capture_output=True)
    names = done.stdout.decode().split("\0")
    return sorted(name for name in names if (ROOT / name).is_file())


def built(source: Path, tracked: list[str], *, time: int, umask: int, **environ: str) -> Path:
    """Build a copy of the repository, whose files are of that time, and return its ``dist``."""
    for name in tracked:
        copy = source / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy)
        copy.chmod(0o777 & ~umask if os.access(copy, os.X_OK) else 0o666 & ~umask)
        os.utime(copy, (time, time))
    command = ["make", "-C", str(source), "-o", ".venv/.dev", f"BIN={BIN}", "wheel"]
    subprocess.run(command, check=True, umask=umask, env={**os.environ, **environ})
    return source / "dist"


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory, tracked: list[str]) -> list[Path]:
    """Build twice: elsewhere, from files of another time, for other people in another zone."""
    here, there = (tmp_path_factory.mktemp(name) for name in ("here", "there"))
    with ThreadPoolExecutor() as pool:
        first = pool.submit(built, here, tracked, time=1_700_000_000, umask=0o022)
        second = pool.submit(
            built,
            there / "a longer path",
            tracked[::-1],
            time=1_600_000_000,
            umask=0o077,
            TZ="Pacific/Auckland",
            LC_ALL="C",
        )
    return [first.result(), second.result()]


@pytest.fixture(scope="module")
def wheel(builds: list[Path]) -> Path:
    [wheel] = builds[0].glob("*.whl")
    return wheel


def test_two_builds_are_the_same_byte_for_byte(builds: list[Path]) -> None:
    one, other = ({each.name: each.read_bytes() for each in build.iterdir()} for build in builds)

    assert [Path(name).suffix for name in sorted(one)] == [".whl", ".gz"]
    assert one == other


def test_the_wheel_is_the_package_and_nothing_else(wheel: Path, tracked: list[str]) -> None:
    names = set(ZipFile(wheel).namelist())

    info = f"{wheel.name.removesuffix('-py3-none-any.whl')}.dist-info"
    assert {name for name in names if not name.startswith("yieldwire/")} == {
        f"{info}/{name}"
        for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
    }
    package = {name.removeprefix("src/") for name in tracked if name.startswith("src/")}
    assert {name for name in names if name.startswith("yieldwire/")} == package
    assert {
        "yieldwire/py.typed",
        "yieldwire/asgi/static/client.js",  # the TypeScript client
        "yieldwire/devtools/static/index.html",
        "yieldwire/stores/postgres/queries.sql",
        "yieldwire/stores/redis/lua/append.lua",
        "yieldwire/stores/sqlite/queries.sql",
    } <= package


def test_the_sdist_is_the_repository_without_its_continuous_integration(
    builds: list[Path], tracked: list[str]
) -> None:
    [sdist] = builds[0].glob("*.tar.gz")

    with tarfile.open(sdist) as archive:
        names = {member.name.partition("/")[2] for member in archive if member.isfile()}

    expected = {name for name in tracked if not name.startswith(NOT_IN_THE_SDIST)}
    assert names == expected | {"PKG-INFO"}


def required(wheel: Path, extra: str = "") -> set[str]:
    """Return the names of the distributions that the wheel says it needs, with that extra."""
    [info] = [each for each in ZipPath(wheel).iterdir() if each.name.endswith(".dist-info")]
    needs = set[tuple[str, str]]()
    add_needs(needs, PathDistribution(info), extra)
    return {name for name, _ in needs} - {"yieldwire"}


def add_needs(needs: set[tuple[str, str]], of: Distribution, extra: str) -> None:
    for requirement in map(Requirement, of.requires or ()):
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            needed = of if requirement.name == of.name else distribution(requirement.name)
            assert requirement.specifier.contains(needed.version, prereleases=True)
            new = {(requirement.name, each) for each in ("", *requirement.extras)} - needs
            needs |= new
            for _, further in new:
                add_needs(needs, needed, further)


def link(names: set[str], folder: Path) -> None:
    """Make what is installed here importable from that folder as well."""
    for name in names:
        files = distribution(name).files or []
        for top in {file.parts[0] for file in files} - {"..", "__pycache__"}:
            if not (folder / top).exists():
                (folder / top).symlink_to(str(distribution(name).locate_file(top)))


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    """A new environment with the wheel and what it requires, without extras."""
    environment = tmp_path_factory.mktemp("environment") / ".venv"
    python = environment / "bin/python"
    uv = [str(BIN / "uv"), "--quiet", "--offline"]
    subprocess.run([*uv, "venv", "--python", sys.executable, environment], check=True)
    subprocess.run([*uv, "pip", "install", "--no-deps", "--python", python, wheel], check=True)
    [packages] = environment.glob("lib/python*/site-packages")
    link(required(wheel), packages)
    return environment


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files of the README."""
    [python], [html] = blocks(README, "python"), blocks(README, "html")
    (tmp_path / "app.py").write_text(python.code)
    (tmp_path / "index.html").write_text(html.code)
    return tmp_path


def said(command: Sequence[str | Path], folder: Path, code: int = 0, **environ: str) -> str:
    """Run a command that exits with that code, and return what it printed."""
    env = {**os.environ, **environ}
    done = subprocess.run(command, cwd=folder, env=env, check=False, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def test_the_wheel_without_extras_runs_the_action_of_the_readme(
    environment: Path, folder: Path
) -> None:
    program = (
        "import asyncio, yieldwire.client; from app import actions, count\n"
        "async def main():\n"
        "    print([each['percent'] async for each in actions.start(count, to=2)])\n"
        "asyncio.run(main())"
    )

    printed = said([environment / "bin/python", "-W", "error", "-c", program], folder)

    assert printed == "[50.0, 100.0]\n"


def test_the_command_without_its_extra_says_how_to_install_it(
    environment: Path, folder: Path
) -> None:
    told = said([environment / "bin/yieldwire", "--help"], folder, code=2)

    assert told == "The command line needs the package 'typer': pip install 'yieldwire[cli]'\n"


def test_the_wheel_with_its_command_line_does_what_the_readme_says(
    environment: Path, wheel: Path, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    extra = tmp_path_factory.mktemp("extra")
    link(required(wheel, "cli"), extra)
    yieldwire = str(environment / "bin/yieldwire")
    command = [yieldwire, "dev", "app.py", "--static", ".", "--port", "0", "--no-reload"]

    with announced(command, folder, {**os.environ, "PYTHONPATH": str(extra)}) as address:
        pages = {
            path: urllib.request.urlopen(urljoin(address, path)).read().decode()  # noqa: S310 - it is our own
            for path in ("/", "/api/_actions/", "/api/_actions/client.js")
        }
    call = [yieldwire, "call", "app.py", "count", "to=2"]
    called = said(call, folder, PYTHONPATH=str(extra))

    assert '<progress id="bar">' in pages["/"]
    assert "<title>" in pages["/api/_actions/"]
    assert "createClient" in pages["/api/_actions/client.js"]
    assert called.split() == ["50.0", "%", "100.0", "%"]
