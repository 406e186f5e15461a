"""The commands as processes: what they write, and how they end."""

import dataclasses
import json
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
from pydantic_core import from_json

from tests.cli.terminal import APP, Ended, run, run_python, run_unread, running
from yieldwire.cli import main
from yieldwire.cli import target as calling

IN_SHELL = "import os, sys; os.execvp('bash', ['bash', '-c', sys.argv[1]])"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Generator[str, None, None]:
    """The application behind an address, with somebody who is signed in by a token."""
    folder = tmp_path_factory.mktemp("served")
    signed_in = "identify=lambda request: request.headers.get('authorization')"
    (folder / "app.py").write_text(APP.replace("Actions()", f"Actions({signed_in})"))
    with running("dev", "app.py", "--port", "0", "--no-reload", cwd=folder) as command:
        yield command.wait_for("serves").rpartition(" ")[2]


@pytest.fixture(params=["file", "address"])
def target(request: pytest.FixtureRequest) -> str:
    """What is called: the same application, here and behind an address."""
    if request.param == "file":
        return "app.py"
    found: str = request.getfixturevalue("url")
    return found


def test_progress_goes_to_stderr_and_the_result_to_stdout(target: str, folder: Path) -> None:
    ended = run("call", target, "count", "to=4", cwd=folder)

    assert (ended.code, from_json(ended.out)) == (0, {"counted": 4})
    assert ended.err.splitlines()[-1] == "100.0 % step 4"


def test_text_comes_as_it_is_and_other_chunks_as_lines_of_json(target: str, folder: Path) -> None:
    ended = run("call", target, "tell", "words=a", "words=b", cwd=folder)

    assert (ended.code, ended.out) == (0, 'a b \n{"last":"b"}\nend\n')


def test_json_writes_one_event_a_line_and_nothing_else(target: str, folder: Path) -> None:
    ended = run("call", target, "count", "to=2", "--json", cwd=folder)

    events = [json.loads(line) for line in ended.out.splitlines()]
    assert [(event["seq"], event["type"]) for event in events] == [
        (1, "chunk"),
        (2, "chunk"),
        (3, "done"),
    ]
    assert events[2]["data"] == {"result": {"counted": 2}}
    assert ended.err == ""


def test_a_file_is_sent(target: str, folder: Path) -> None:
    (folder / "words.txt").write_text("hello")

    assert run("call", target, "load", "file=@words.txt", cwd=folder).out == "hello\n"


def test_an_action_with_one_answer_is_called(target: str, folder: Path) -> None:
    assert run("call", target, "add", "a=1", "kind=odd", cwd=folder).out == "2\n"


def test_a_feed_is_called_too(target: str, folder: Path) -> None:
    assert run("call", target, "feed", "n=2", cwd=folder).out == "0\n1\n"


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["fail"], 1, "NO_STOCK: Sold out.\n  {"),
        (["fail", "late=true"], 1, "NO_STOCK: Sold out."),
        (["crash"], 1, "INTERNAL_ERROR: Something went wrong"),
        (["add"], 3, "VALIDATION_ERROR: The input is not valid.\n  a: Field required"),
        (["add", "a=1", "kind=even"], 3, "  kind: Input should be 'plain' or 'odd'"),
        (["add", "a=word"], 2, "a: 'word' cannot be read as integer."),
        (["nothing"], 3, "There is no action 'nothing'; the actions are: count, add"),
        (["closed"], 3, "RATE_LIMITED: Not today."),
        (["add", "a=1", "--webhook", "https://a.example"], 3, "FORBIDDEN: You are not allowed to"),
    ],
)
def test_how_it_ended_is_the_exit_code(
    target: str, folder: Path, arguments: list[str], code: int, told: str
) -> None:
    ended = run("call", target, *arguments, cwd=folder)

    assert (ended.code, told in ended.err) == (code, True), ended.err
    assert "secret" not in ended.out


def test_ctrl_c_cancels_the_run_and_waits_for_its_end(target: str, folder: Path) -> None:
    with running("call", target, "wait", cwd=folder) as command:
        command.wait_for("waiting")
        command.interrupt()
        ended = command.finish()

    assert ended.code == 130
    assert ended.err.splitlines() == [
        "Cancelling. Ctrl-C again exits at once.",
        "CANCELLED: The run was cancelled.",
    ]


def test_ctrl_c_pressed_again_leaves_at_once(target: str, folder: Path) -> None:
    with running("call", target, "cling", cwd=folder) as command:
        command.wait_for("waiting")
        command.interrupt()
        command.wait_for_note("Cancelling")
        command.interrupt()
        ended = command.finish()

    assert (ended.code, "CANCELLED" in ended.err) == (130, False)


def test_actions_are_listed_with_their_parameters(target: str, folder: Path) -> None:
    ended = run("actions", target, cwd=folder)

    lines = ended.out.splitlines()
    assert lines[0] == 'count\tto: integer, message: string = "step"\tCount to a number.'
    assert lines[1] == "add\ta: integer, b: integer = 1, kind: 'plain' | 'odd' = \"plain\""


def test_actions_are_listed_as_json(target: str, folder: Path) -> None:
    listed = json.loads(run("actions", target, "--json", cwd=folder).out)

    assert listed["actions"][0]["name"] == "count"


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client in this process tries again at once."""

    async def no_time(seconds: float) -> None:
        pass

    patience = dataclasses.replace(calling.PATIENCE, sleep=no_time)
    monkeypatch.setattr(calling, "PATIENCE", patience)


@pytest.mark.usefixtures("hasty")
def test_a_server_that_is_not_there_is_unreachable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["yieldwire", "cancel", "http://127.0.0.1:9/actions", "r1"])

    with pytest.raises(SystemExit, match="4"):
        main()

    told = capsys.readouterr().err.splitlines()
    assert all(
        "cannot be reached: All connection attempts failed; retrying" in _ for _ in told[:-2]
    )
    assert told[-2].startswith("UNREACHABLE: The server at 127.0.0.1:9 cannot be reached")
    assert told[-1] == "  Check that it is running, and that the URL is right."


@pytest.mark.usefixtures("hasty")
def test_an_address_of_something_else_says_so(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["yieldwire", "actions", url + "dev/dev.css?"])

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code in {3, 4}


def test_a_run_is_left_running_found_followed_and_cancelled(url: str, folder: Path) -> None:
    token = {"YIELDWIRE_TOKEN": "anna"}
    run_id = run("call", url, "wait", "--detach", cwd=folder, **token).out.strip()

    with running("tail", url, run_id, cwd=folder, **token) as tail:
        tail.wait_for("waiting")
        listed = run("runs", url, "--status", "running", cwd=folder, **token)
        cancelled = run("cancel", url, run_id, cwd=folder, **token)
        ended = tail.finish()

    assert listed.out.startswith(f"{run_id}\twait\trunning\t")
    assert (cancelled.code, cancelled.out.strip() in {"running", "cancelled"}) == (0, True)
    assert ended.code == 130
    assert run("tail", url, run_id, "--after", f"{run_id}.2", cwd=folder, **token).code == 130


def test_a_development_server_lists_runs_without_a_token(url: str, folder: Path) -> None:
    run_id = run("call", url, "wait", "--detach", cwd=folder).out.strip()

    listed = run("runs", url, cwd=folder)

    assert (listed.code, run_id in listed.out) == (0, True)
    assert run("cancel", url, run_id, cwd=folder).code == 0


def test_a_run_of_somebody_else_is_not_shown(url: str, folder: Path) -> None:
    run_id = run("call", url, "wait", "--detach", "--token", "anna", cwd=folder).out.strip()

    other = run("cancel", url, run_id, "-H", "Authorization: Bearer ben", cwd=folder)
    own = run("runs", url, "--token", "ben", "--json", cwd=folder)

    assert (other.code, "FORBIDDEN" in other.err) == (3, True)
    assert json.loads(own.out)["runs"] == []
    assert run("cancel", url, run_id, "--token", "anna", cwd=folder).code == 0


def test_leaving_a_tail_lets_the_run_continue(url: str, folder: Path) -> None:
    run_id = run("call", url, "wait", "--detach", "--token", "anna", cwd=folder).out.strip()
    with running("tail", url, run_id, "--token", "anna", cwd=folder) as tail:
        tail.wait_for("waiting")
        tail.interrupt()

        assert tail.finish().code == 130

    listed = run("runs", url, "--token", "anna", "--status", "running", cwd=folder)
    assert run_id in listed.out
    assert run("cancel", url, run_id, "--token", "anna", cwd=folder).code == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["runs", "app.py"], "'app.py' is not a URL"),
        (["call", "app.py", "add", "a=1", "--detach"], "--detach needs a URL"),
        (["call", "nowhere.py", "add"], "There is no file nowhere.py"),
        (["runs", "http://127.0.0.1:9", "-H", "word"], "'word' is not a header"),
        (["runs", "http://127.0.0.1:9", "-H", "X-A: b\nX-C: d"], "is not a header"),
        (["call", "app.py"], "Missing argument"),
        (["tail", "http://127.0.0.1:9", "r1", "--limit"], "No such option"),
    ],
)
def test_a_command_that_is_not_right_exits_with_2(
    folder: Path, arguments: list[str], told: str
) -> None:
    ended = run(*arguments, cwd=folder)

    assert (ended.code, told in ended.err) == (2, True), ended.err


def test_a_file_that_fails_shows_the_users_traceback(folder: Path) -> None:
    (folder / "broken.py").write_text("import yieldwire\n\n1 / 0\n")

    ended = run("actions", "broken.py", cwd=folder)

    assert ended.code == 2
    assert 'broken.py", line 3, in <module>' in ended.err
    assert "ZeroDivisionError: division by zero" in ended.err
    assert "importlib" not in ended.err


@pytest.mark.parametrize(
    "arguments",
    [
        "--help",
        "--version",
        "call --help",
        "actions app.py",
        "types app.py",
        "call app.py feed n=100000",
        "call app.py feed n=100000 --json",
        "call app.py add a=1",
        "call URL feed n=1000 --token anna",
        "runs URL --token anna --json",
    ],
)
def test_the_reader_of_the_output_can_leave(url: str, folder: Path, arguments: str) -> None:
    assert run_unread(*arguments.replace("URL", url).split(), cwd=folder) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [("call app.py count to=9", 0), ("call app.py fail", 1), ("call", 2), ("call app.py add", 3)],
)
def test_the_reader_of_the_messages_can_leave(folder: Path, arguments: str, code: int) -> None:
    assert run_unread(*arguments.split(), cwd=folder, is_told=False) == (code, "")


def test_a_reader_can_leave_in_a_shell(folder: Path) -> None:
    program = f"{sys.executable} -m yieldwire.cli call app.py feed n=100000"

    ended = run_python("-c", IN_SHELL, f"{program} | true; echo ${{PIPESTATUS[0]}}", cwd=folder)

    assert ended == Ended(code=0, out="0\n", err="")


@pytest.mark.parametrize("arguments", [["actions"], ["dev", "--no-reload"]])
def test_ctrl_c_while_a_file_is_imported_is_quiet(folder: Path, arguments: list[str]) -> None:
    (folder / "slow.py").write_text("import os, signal\n\nos.kill(os.getpid(), signal.SIGINT)\n")

    ended = run(arguments[0], "slow.py", *arguments[1:], cwd=folder)

    assert (ended.code, ended.out, ended.err) == (130, "", "")


@pytest.mark.parametrize(
    "name", ["dev", "serve", "call", "actions", "runs", "tail", "answer", "send", "cancel"]
)
def test_every_command_teaches_by_examples(folder: Path, name: str) -> None:
    ended = run(name, "--help", cwd=folder)

    assert ended.code == 0
    assert f"\n    yieldwire {name} " in ended.out


def test_the_exit_codes_are_in_the_help(folder: Path) -> None:
    help_text = run("call", "--help", cwd=folder).out

    assert all(f"\n    {code:<4} " in help_text for code in (0, 1, 2, 3, 4, 130))


@pytest.mark.parametrize("package", ["typer", "rich", "uvicorn", "watchfiles"])
def test_without_a_package_the_error_says_what_to_install(folder: Path, package: str) -> None:
    program = f"import sys; sys.modules[{package!r}] = None; from yieldwire.cli import main; main()"

    ended = run_python("-c", program, "dev", "app.py", "--port", "0", cwd=folder)

    assert ended.code == 2
    assert ended.err == (
        f"The command line needs the package {package!r}: pip install 'yieldwire[cli]'\n"
    )


def test_a_long_default_is_cut_in_a_list(folder: Path) -> None:
    source = (folder / "app.py").read_text()
    (folder / "app.py").write_text(source.replace('"step"', repr("step " * 20)))

    assert (
        'message: string = "step step step step step step…'
        in run("actions", "app.py", cwd=folder).out
    )
