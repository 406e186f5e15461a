"""What the shell offers: through the program, as Bash asks it."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.terminal import run
from tests.conftest import Serve
from tests.support.world import BRISK
from yieldwire import Actions, Upload
from yieldwire.cli.completing import SECONDS, rejoin_words
from yieldwire.client import Client

COMMAND = "yieldwire"


def offered(folder: Path, *words: str) -> list[str]:
    """Return what is offered for the last word."""
    ended = run(
        cwd=folder,
        _YIELDWIRE_COMPLETE="complete_bash",
        COMP_WORDS="\n".join([COMMAND, *words]),
        COMP_CWORD=str(len(words)),
    )
    assert (ended.code, ended.err) == (0, "")
    return ended.out.split()


def of_url(url: str) -> list[str]:
    """Return a URL as Bash splits it."""
    return url.replace(":", " : ").split()


@pytest.fixture
def url(serve: Serve) -> str:
    actions = Actions(identify=lambda _: "ada", timing=BRISK)

    @actions.action
    async def load(file: Upload, words: list[str], to: int = 1) -> int:
        return to

    @actions.action
    async def add(a: int) -> int:
        return a

    return serve(actions).url


def test_the_actions_of_a_file_are_offered(folder: Path) -> None:
    assert offered(folder, "call", "app.py", "cou") == ["count"]
    assert offered(folder, "call", "app.py", "count", "t") == ["to=", "to:="]


def test_the_actions_of_a_server_are_offered(url: str, tmp_path: Path) -> None:
    assert offered(tmp_path, "call", *of_url(url), "") == ["load", "add"]


def test_the_fields_that_are_not_given_are_offered(url: str, tmp_path: Path) -> None:
    start = ["call", *of_url(url), "load"]

    assert offered(tmp_path, *start, "") == ["file=@", "file=", "words=", "words:=", "to=", "to:="]
    assert offered(tmp_path, *start, "to", "=", "3", "words", "=", "a", "") == [
        "file=@",
        "file=",
        "words=",
        "words:=",
    ]
    assert offered(tmp_path, *start, "to", "=", "3") == []


@pytest.mark.parametrize("command", ["tail", "show", "logs"])
def test_the_ids_of_runs_are_offered(url: str, tmp_path: Path, command: str) -> None:
    with Client(url) as client:
        started = client.start("add", {"a": 1})
        started.result()

    assert offered(tmp_path, command, *of_url(url), started.id[:4]) == [started.id]
    assert offered(tmp_path, "cancel", *of_url(url), started.id[:4]) == []


@pytest.mark.parametrize(
    "source",
    [
        "raise SystemExit(3)",
        "import sys; print('hello'); print('there', file=sys.stderr); 1 / 0",
        "import time; time.sleep(60)",
        "try:\n    import time; time.sleep(60)\nexcept Exception: pass",
    ],
)
def test_an_application_that_cannot_be_imported_is_offered_in_silence_and_in_time(
    tmp_path: Path, source: str
) -> None:
    (tmp_path / "app.py").write_text(source)
    began = time.monotonic()

    assert offered(tmp_path, "call", "app.py", "") == []
    assert time.monotonic() - began < SECONDS + 10


def test_a_server_that_is_away_offers_nothing(tmp_path: Path) -> None:
    assert offered(tmp_path, "call", *of_url("http://127.0.0.1:9/api"), "") == []
    assert offered(tmp_path, "show", *of_url("http://127.0.0.1:9/api"), "") == []
    assert offered(tmp_path, "show", "app.py", "") == []


def test_an_unknown_action_has_no_fields(folder: Path) -> None:
    assert offered(folder, "call", "app.py", "nothing", "") == []


def test_bash_itself_completes_by_the_script_that_is_installed(folder: Path) -> None:
    script = run("--show-completion", "bash", cwd=folder).out
    words = "yieldwire call app.py cou"
    program = Path(sys.executable).with_name("yieldwire")
    asking = f"""
{script}
COMP_WORDS=({words}); COMP_CWORD=3; _yieldwire_completion {program}; echo "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(
        ["/bin/bash", "--norc", "-c", asking],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )

    assert (done.stdout, done.stderr) == ("count\n", "")


@pytest.mark.parametrize(
    ("words", "joined"),
    [
        ("y call http : //h : 1/a c", "y call http://h:1/a c"),
        ("y call a.py f a = 1 b := 2 c", "y call a.py f a=1 b:=2 c"),
        ("y call a.py f a = pl", "y call a.py f a=pl"),
        ("y call a.py f a =", "y call a.py f a ="),
    ],
)
def test_words_that_bash_has_split_are_joined(words: str, joined: str) -> None:
    split = words.split()
    env = {
        "_YIELDWIRE_COMPLETE": "complete_bash",
        "COMP_WORDS": "\n".join(split),
        "COMP_CWORD": str(len(split) - 1),
    }

    rejoin_words(env)

    assert env["COMP_WORDS"].split("\n") == joined.split()
    assert env["COMP_CWORD"] == str(len(joined.split()) - 1)


def test_the_words_of_other_shells_stay_as_they_are() -> None:
    env = {"COMP_WORDS": "y : x"}

    rejoin_words(env)

    assert env == {"COMP_WORDS": "y : x"}
