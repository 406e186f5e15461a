"""Types from the command line: written, kept current, checked."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.terminal import APP, run, running
from yieldwire.cli.source import load
from yieldwire.describe.manifest import description_of
from yieldwire.describe.python import python
from yieldwire.describe.typescript import typescript
from yieldwire.errors import Json

FILE = "actions.gen.ts"


@pytest.fixture
def described(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Json]]]:
    """The actions of the application in the folder."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield list(map(description_of, load(f"{folder}/app.py").app.registry.actions))
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def text(described: list[dict[str, Json]]) -> str:
    """The types of the application in the folder."""
    return typescript(described)


def test_types_go_to_stdout_where_no_file_is_named(folder: Path, text: str) -> None:
    ended = run("types", "app.py", cwd=folder)

    assert (ended.code, ended.out, ended.err) == (0, text, "")


def test_types_are_written_into_a_file(folder: Path, text: str) -> None:
    ended = run("types", "app.py", "-o", FILE, cwd=folder)

    assert (ended.code, ended.out, ended.err) == (0, "", f"Wrote {FILE}.\n")
    assert folder.joinpath(FILE).read_bytes() == text.encode()


def test_a_file_that_is_up_to_date_is_not_touched(folder: Path, text: str) -> None:
    file = folder / FILE
    file.write_bytes(text.replace("\n", "\r\n").encode())

    ended = run("types", "app.py", "-o", FILE, cwd=folder)

    assert (ended.code, ended.err) == (0, f"{FILE} is up to date.\n")
    assert file.read_bytes().count(b"\r\n") == text.count("\n")


def test_a_python_module_is_written_and_checked(
    folder: Path, described: list[dict[str, Json]]
) -> None:
    written = run("types", "--python", "app.py", "-o", "shop.py", cwd=folder)
    checked = run("types", "app.py", "--python", "-o", "shop.py", "--check", cwd=folder)

    assert (written.code, written.err) == (0, "Wrote shop.py.\n")
    assert folder.joinpath("shop.py").read_text("utf-8") == python(described)
    assert (checked.code, checked.err) == (0, "shop.py is up to date.\n")


def test_a_python_module_is_written_again_at_each_change(folder: Path) -> None:
    app = folder / "app.py"
    with running("types", "--python", "app.py", "-o", "shop.py", "--watch", cwd=folder) as command:
        command.wait_for_note("Wrote")

        app.write_text(APP + "\n@actions.action\nasync def added() -> None: ...\n")
        command.wait_for_note("Wrote")

    assert "def added(self)" in folder.joinpath("shop.py").read_text("utf-8")


def test_a_server_is_asked_for_its_actions(folder: Path, text: str) -> None:
    signed_in = "identify=lambda request: request.headers.get('authorization')"
    folder.joinpath("app.py").write_text(APP.replace("Actions()", f"Actions({signed_in})"))
    with running("serve", "app.py", "--port", "0", cwd=folder) as server:
        url = server.wait_for_note("serves").rpartition(" ")[2]

        ended = run("types", url, "--token", "alice", cwd=folder)

    assert (ended.code, ended.out) == (0, text)


def test_check_says_that_a_file_is_up_to_date(folder: Path, text: str) -> None:
    folder.joinpath(FILE).write_text(text, "utf-8")

    ended = run("types", "app.py", "-o", FILE, "--check", cwd=folder)

    assert (ended.code, ended.out) == (0, "")


def test_check_shows_what_differs_and_writes_nothing(folder: Path, text: str) -> None:
    old = text.replace("count: Action", "counted: Action")
    folder.joinpath(FILE).write_text(old, "utf-8")

    ended = run("types", "app.py", "-o", FILE, "--check", cwd=folder)

    assert ended.code == 1
    assert [line[:20] for line in ended.out.splitlines() if line[0] in "+-"] == [
        f"--- {FILE}",
        "+++ generated",
        "-  counted: Action<C",
        "+  count: Action<Cou",
    ]
    assert ended.err == f"{FILE} is out of date; run it again without --check.\n"
    assert folder.joinpath(FILE).read_text("utf-8") == old


def test_check_fails_where_there_is_no_file(folder: Path) -> None:
    ended = run("types", "app.py", "-o", FILE, "--check", cwd=folder)

    assert (ended.code, ended.err.partition(";")[0]) == (1, f"{FILE} does not exist")
    assert not folder.joinpath(FILE).exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_watch_writes_again_at_each_change_until_it_is_stopped(
    folder: Path, number: signal.Signals
) -> None:
    app = folder / "app.py"
    with running("types", "app.py", "-o", FILE, "--watch", cwd=folder) as command:
        command.wait_for_note("Wrote")

        app.write_text(APP + "\nbroken =\n")
        command.wait_for_note("app.py cannot be imported.")
        app.write_text(APP + "\n@actions.action\nasync def added() -> None: ...\n")
        command.wait_for_note("Wrote")

        command.send(number)
        assert command.finish().code == 0
    assert "added: Action<AddedInput, never, null>" in folder.joinpath(FILE).read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--watch"], "name it with -o"),
        (["--check"], "name it with -o"),
        (["-o", FILE, "--watch", "--check"], "cannot be combined with --check"),
        (["-o", "gone/x.ts"], "gone/x.ts cannot be written: No such file or directory."),
        (["-o", "."], ". cannot be read, so it is not written either"),
    ],
)
def test_what_cannot_be_done_is_said(arguments: list[str], told: str, folder: Path) -> None:
    ended = run("types", "app.py", *arguments, cwd=folder)

    assert ended.code == 2
    assert told in ended.err


def test_a_server_is_not_watched(folder: Path) -> None:
    ended = run("types", "http://127.0.0.1:9", "-o", FILE, "--watch", cwd=folder)

    assert ended.code == 2
    assert "--watch needs a Python file" in ended.err
