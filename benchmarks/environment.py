"""What a server needs: installed on the spot, below `build/bench`, once for each lock file."""

import hashlib
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.machine import BUILD, ROOT, BenchmarkError, said_by
from benchmarks.peer import Peer

PATIENCE: Final = 600
"""Seconds that one installation can take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Where a server's command is started, what it is, and the versions that it runs on.

    ``also`` are the commands of further processes, ``database`` starts what they share, and
    ``model`` the model server that they call.
    """

    command: tuple[str, ...]
    directory: Path
    versions: tuple[str, ...]
    also: tuple[tuple[str, ...], ...] = ()
    database: tuple[str, ...] = ()
    model: tuple[str, ...] = ()


def prepare(peer: Peer) -> Environment:
    """Install what a peer needs, unless it is there, and say how it is started.

    Raises:
        BenchmarkError: If it cannot be installed.
    """
    return _KINDS[peer.kind](peer)


def _python(peer: Peer) -> Environment:
    programs = _installed(ROOT / peer.requirements)
    directory = ROOT / peer.directory
    return Environment(
        command=_placed(programs, peer.command),
        directory=directory,
        versions=tuple(_python_version(programs, name) for name in peer.versions),
        also=tuple(_placed(programs, command) for command in peer.also),
        database=_beside("database_server", peer.database) if peer.database else (),
        model=_beside("model_server") if peer.model else (),
    )


def _placed(programs: Path, command: Sequence[str]) -> tuple[str, ...]:
    return str(programs / command[0]), *command[1:]


def _beside(module: str, *words: str) -> tuple[str, ...]:
    """Return the command of a process next to a server."""
    python = str(_installed(ROOT / "requirements" / "bench.txt") / "python")
    return python, "-m", f"benchmarks.{module}", *words


def _installed(lock: Path) -> Path:
    """Install what a lock file names, unless it is there, and return where its programs are."""
    home = BUILD / "env" / lock.stem
    python = str(home / "bin" / "python")
    if _is_stale(home, lock):
        _run(sys.executable, "-m", "venv", "--clear", str(home))
        uv = _uv()
        # pip is asked where uv fails: some machines tell only pip where packages come from.
        ways = [[uv, "pip", "install", "--quiet", "--python", python]] if uv else []
        ways.append([python, "-m", "pip", "install", "--quiet"])
        _first_that_works([[*way, "-r", str(lock)] for way in ways])
        _mark(home, lock)
    return home / "bin"


def _python_version(programs: Path, name: str) -> str:
    found = "import importlib.metadata as m, sys; print(m.version(sys.argv[1]))"
    return f"{name} {said_by(str(programs / 'python'), '-c', found, name)}"


def _uv() -> str:
    home = BUILD / "env" / "uv"
    uv = home / "bin" / "uv"
    if not uv.exists():
        try:
            _run(sys.executable, "-m", "venv", str(home))
            _run(str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "uv")
        except BenchmarkError:
            return ""
    return str(uv)


def _node(peer: Peer) -> Environment:
    source = ROOT / peer.directory
    lock = source / "package-lock.json"
    home = BUILD / "env" / f"node-{source.name}"
    home.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, home, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules"))
    if _is_stale(home, lock):
        _run("npm", "ci", "--no-audit", "--no-fund", "--loglevel", "error", directory=home)
        _mark(home, lock)
    versions = tuple(
        f"{name} {_node_version(home / 'node_modules' / name)}" for name in peer.versions
    )
    model = _beside("model_server") if peer.model else ()
    return Environment(command=peer.command, directory=home, versions=versions, model=model)


def _node_version(home: Path) -> str:
    return said_by("node", "-p", f"require('{home}/package.json').version")


def _native(peer: Peer) -> Environment:
    binary = compiled(ROOT / peer.source)
    command = tuple(word.replace("{binary}", str(binary)) for word in peer.command)
    return Environment(command=command, directory=BUILD, versions=())


_KINDS: Final[dict[str, Callable[[Peer], Environment]]] = {
    "python": _python,
    "node": _node,
    "native": _native,
}


def compiled(source: Path) -> Path:
    """Build a C file, or those of a folder, where they are newer, and return the program.

    Raises:
        BenchmarkError: If it cannot be built.
    """
    binary = BUILD / "bin" / source.stem
    files = sorted(source.glob("*.[ch]")) if source.is_dir() else [source]
    newest = max((file.stat().st_mtime for file in files if file.exists()), default=math.inf)
    if not binary.exists() or binary.stat().st_mtime < newest:
        binary.parent.mkdir(parents=True, exist_ok=True)
        units = [str(file) for file in files if file.suffix == ".c"]
        made = binary.with_suffix(f".{os.getpid()}")
        _run("gcc", "-O2", "-Wall", "-Wextra", "-o", str(made), *units)
        made.replace(binary)  # in one step, so that others can run at the same time
    return binary


def _is_stale(home: Path, lock: Path) -> bool:
    if not lock.exists():
        raise BenchmarkError(f"There is no {lock.relative_to(ROOT)}.")
    mark = home / ".installed"
    return not mark.exists() or mark.read_text("utf-8") != _digest(home, lock)


def _mark(home: Path, lock: Path) -> None:
    (home / ".installed").write_text(_digest(home, lock), "utf-8")


def _digest(home: Path, lock: Path) -> str:
    # An environment knows its own place: one that was moved with its checkout is made again.
    return hashlib.sha256(str(home).encode() + lock.read_bytes()).hexdigest()


def _first_that_works(commands: list[list[str]]) -> None:
    *earlier, last = commands
    for command in earlier:
        try:
            _run(*command)
        except BenchmarkError:
            continue
        return
    _run(*last)


def _run(*command: str, directory: Path = ROOT) -> None:
    try:
        answer = subprocess.run(  # noqa: S603 - the words above
            command,
            cwd=directory,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise BenchmarkError(f"{command[0]}: {exc}") from exc
    if answer.returncode != 0:
        last = (answer.stderr or answer.stdout).strip().splitlines()[-1:] or ["no reason given"]
        raise BenchmarkError(f"{Path(command[0]).name} {command[1]}: {last[0][:200]}")
