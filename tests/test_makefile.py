"""What `make` says to somebody who tries the demo."""

import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
MAKE = ["make", "-f", str(ROOT / "Makefile")]


def make(*arguments: str, cwd: Path) -> str:
    done = subprocess.run([*MAKE, *arguments], cwd=cwd, check=False, capture_output=True, text=True)
    assert done.returncode == 2
    return done.stderr


def test_a_busy_port_is_told_with_the_way_to_another() -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        ready = ["-o", ".venv/.demo", f"BIN={Path(sys.executable).parent}"]
        told = make(*ready, "demo", f"PORT={port}", cwd=ROOT)

    assert f"Cannot listen on 127.0.0.1:{port}: Address already in use. " in told
    assert f"To serve the demo on another port: make demo PORT={port + 1}\n" in told


def test_the_links_of_the_demo_lead_to_its_port() -> None:
    told = subprocess.run(
        [*MAKE, "-n", "-o", ".venv/.demo", "demo", "PORT=1234"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout

    assert "DEMO_URL=${DEMO_URL:-http://127.0.0.1:1234/api/_actions}" in told


def test_an_older_python_is_refused_in_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    older = tmp_path / "python3.10"
    pretend = "import sys; sys.version_info = (3, 10, 13)"
    older.write_text(f"#!/bin/sh\nexec '{sys.executable}' -c \"{pretend}\n$2\"\n")
    older.chmod(0o755)
    for name in ("requirements/demo.txt", "pyproject.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    lines = make("demo", f"PYTHON={older}", cwd=tmp_path).splitlines()

    told = [line for line in lines if not line.startswith(("find: ", "make: ", "make["))]
    assert told == [
        (
            f"Yieldwire needs Python 3.11 or newer, and {older} is Python 3.10: "
            "name another one, such as make PYTHON=python3.12 demo"
        )
    ]
    assert not (tmp_path / ".venv").exists()


def test_importing_it_in_an_older_python_says_so_in_one_line() -> None:
    program = (
        "import runpy, sys; sys.version_info = (3, 10, 13); sys.argv = ['x']; "
        "runpy._run_module_as_main('yieldwire.cli')"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )

    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "Yieldwire needs Python 3.11 or newer, and this is Python 3.10." in line
