"""Questions on the command line: in a terminal, without one, and by the commands for them."""

import json
from collections.abc import Callable, Generator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli.screen import showing
from tests.cli.terminal import running
from yieldwire.cli import main

APP = """
from collections.abc import AsyncIterator

from pydantic import BaseModel, Field

from yieldwire import Actions, Context, Text

actions = Actions(identify=lambda request: request.headers.get("x-user"))


class Decision(BaseModel):
    copies: int = Field(gt=0, default=1)
    approved: bool


class Wish(BaseModel):
    text: str


@actions.action(asks=(Decision, bool), inbox=Wish, linger=None)
async def publish(ctx: Context) -> AsyncIterator[Text]:
    yield Text("Checked.\\n")
    decision = await ctx.ask(Decision, "Publish this?")
    yield Text(f"{decision.copies} copies: {decision.approved}\\n")
    yield Text(f"sure: {await ctx.ask(bool, 'Sure?')}\\n")


@actions.action(asks=Decision, linger=None)
async def choose(ctx: Context) -> None:
    ctx.spawn(ctx.ask(Decision, "Right?", id="right"))
    await ctx.ask(Decision, "Left?", id="left")


@actions.action(inbox=Wish, linger=None)
async def draw(ctx: Context) -> AsyncIterator[Text]:
    yield Text("Drawing.\\n")
    async for wish in ctx.inbox(Wish):
        yield Text(f"{wish.text}\\n")
        break
"""


class Said(NamedTuple):
    code: int
    out: str
    err: str


Say = Callable[..., Said]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("asking")
    (folder / "app.py").write_text(APP)
    return folder


@pytest.fixture(scope="module")
def url(folder: Path) -> Generator[str, None, None]:
    with running("dev", "app.py", "--port", "0", "--no-reload", cwd=folder) as command:
        yield command.wait_for("serves").rpartition(" ")[2]


@pytest.fixture
def say(url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """Run a command as ada in this process, with the URL as its first argument."""

    def say(name: str, *arguments: str) -> Said:
        command = ["yieldwire", name, url, *arguments, "-H", "X-User: ada"]
        monkeypatch.setattr("sys.argv", command)
        with pytest.raises(SystemExit) as ended:
            main()
        shown = capsys.readouterr()
        return Said(int(ended.value.code or 0), shown.out, shown.err)

    return say


@pytest.fixture
def asking(say: Say) -> str:
    """A run whose question is open."""
    run_id = say("call", "publish", "--detach").out.strip()
    while not say("answer", run_id).out:
        pass
    return run_id


def test_a_person_answers_on_the_terminal(folder: Path) -> None:
    with showing("call", "app.py", "publish", cwd=folder, columns=80) as screen:
        screen.wait_for("copies [integer, default 1]:")
        screen.type("0")
        screen.wait_for("approved [y/n]:")
        screen.type("y")
        screen.wait_for("copies: Input should be greater than 0")
        screen.type("2")
        screen.wait_for("answer [y/n]:")
        screen.type("no")
        code, lines = screen.finish()

    assert (code, lines) == (
        0,
        [
            "Checked.",
            "Question 1: Publish this?",
            "copies [integer, default 1]: 0",
            "approved [y/n]: y",
            "  copies: Input should be greater than 0",
            "copies [integer, default 1]: 2",
            "2 copies: True",
            "Question 2: Sure?",
            "answer [y/n]: no",
            "sure: False",
        ],
    )


def test_a_prompt_disappears_if_somebody_else_answers(folder: Path, url: str, say: Say) -> None:
    with showing("call", url, "publish", "-H", "X-User: ada", cwd=folder, columns=80) as screen:
        screen.wait_for("copies [integer, default 1]:")
        screen.press("7")
        screen.wait_for("default 1]: 7")
        (asked,) = json.loads(say("runs", "--questions", "--json").out)["questions"]
        answered = say("answer", asked["run"], "1", "approved=yes", "copies=3")
        screen.wait_for("answer [y/n]:")
        screen.type("y")
        code, lines = screen.finish()

    assert (answered.code, code) == (0, 0)
    assert lines == [
        "Checked.",
        "Question 1: Publish this?",
        'Question 1 was answered by ada: {"copies":3,"approved":true}',
        "3 copies: True",
        "Question 2: Sure?",
        "answer [y/n]: y",
        "sure: True",
    ]


def test_ctrl_c_at_a_prompt_cancels_the_run(folder: Path) -> None:
    with showing("call", "app.py", "publish", cwd=folder, columns=80) as screen:
        screen.wait_for("copies [integer, default 1]:")
        screen.press("C-c")
        code, lines = screen.finish()

    assert (code, lines[2:]) == (
        130,
        ["Cancelling. Ctrl-C again exits at once.", "CANCELLED: The run was cancelled."],
    )


@pytest.mark.parametrize("arguments", [(), ("--no-ask",)])
def test_without_a_terminal_the_question_comes_with_the_command_that_answers_it(
    folder: Path, url: str, say: Say, arguments: tuple[str, ...]
) -> None:
    with running("call", url, "publish", "-H", "X-User: ada", *arguments, cwd=folder) as command:
        command.wait_for_note("Question 1: Publish this?")
        words = command.wait_for_note("yieldwire answer").split()
        assert say("answer", *words[3:]).code == 0
        command.wait_for_note("Question 1 was answered by ada: ")
        words = command.wait_for_note("yieldwire answer").split()
        assert say("answer", *words[3:]).code == 0
        ended = command.finish()

    assert (ended.code, ended.out) == (0, "Checked.\n1 copies: True\nsure: True\n")


def test_the_open_questions_are_listed_with_what_their_answers_consist_of(
    say: Say, asking: str
) -> None:
    line = f"{asking}\t1\tPublish this?\tcopies: integer = 1, approved: boolean\n"

    assert say("answer", asking) == Said(0, line, "")
    assert say("answer", asking, "1") == Said(0, line, "")
    assert line in say("runs", "--questions").out
    assert (
        json.loads(say("answer", asking, "--json").out)["questions"][0]["prompt"] == "Publish this?"
    )


def test_an_answer_is_checked_and_the_first_one_counts(say: Say, asking: str) -> None:
    refused = say("answer", asking, "approved=yes", "copies=0")
    first = say("answer", asking, "approved=yes")
    second = say("answer", asking, "1", "approved=no")

    assert refused.code == 3
    assert "  copies: Input should be greater than 0" in refused.err
    assert first == Said(0, "Question 1 is answered.\n", "")
    assert (second.code, second.err) == (3, "NOT_FOUND: No question '1' is open; open: 2.\n")
    accepted = say("answer", asking, "2", "no", "--json")
    assert json.loads(accepted.out)["number"] == 2


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["yes"], 3, "NOT_FOUND: No question 'yes' is open; open: 1."),
        (["7", "approved=yes"], 3, "NOT_FOUND: No question '7' is open; open: 1."),
        (["approved=perhaps"], 2, "approved: 'perhaps' cannot be read as boolean."),
        (["1", "yes"], 2, "'yes' is not an argument; write key=value"),
    ],
)
def test_an_answer_that_cannot_be_read_is_not_sent(
    say: Say, asking: str, words: list[str], code: int, told: str
) -> None:
    ended = say("answer", asking, *words)

    assert (ended.code, ended.err.startswith(told)) == (code, True), ended.err


def test_a_run_that_asks_nothing_says_so(say: Say) -> None:
    run_id = say("call", "draw", "--detach").out.strip()

    ended = say("answer", run_id, "sure=yes")

    told = "NOT_FOUND: No question of this run is open; it can have been answered already.\n"
    assert (ended.code, ended.err) == (3, told)
    assert say("answer", run_id) == Said(0, "", "")


def test_a_message_is_sent_as_the_action_takes_it(say: Say) -> None:
    run_id = say("call", "draw", "--detach").out.strip()

    refused = say("send", run_id, "size=1")
    sent = say("send", run_id, "text=12")

    assert (refused.code, "  text: Field required" in refused.err) == (3, True)
    assert sent == Said(0, "1\n", "")
    assert say("tail", run_id).out == "Drawing.\n12\n"
    late = say("send", run_id, '{"text": "more"}')
    assert (late.code, late.err.partition(":")[0]) == (3, "RUN_ENDED")


def test_a_message_has_a_content(say: Say) -> None:
    assert say("send", "r1").code == 2


def test_a_tail_shows_the_questions_of_a_run(say: Say, asking: str) -> None:
    say("answer", asking, "approved=yes")
    say("answer", asking, "2", "yes")

    shown = say("tail", asking)

    assert shown.code == 0
    assert "Question 1: Publish this?\n" in shown.err
    assert "Question 2 was answered by ada: true\n" in shown.err


def test_of_several_open_questions_one_is_named(say: Say) -> None:
    run_id = say("call", "choose", "--detach").out.strip()
    while say("answer", run_id).out.count("\n") < 2:
        pass

    unnamed = say("answer", run_id, "approved=yes")
    named = say("answer", run_id, "right", "approved=yes")

    told = "Write the id of the question before the answer; open: left, right.\n"
    assert (unnamed.code, unnamed.err) == (2, told)
    assert named.out == "Question right is answered.\n"
    assert say("cancel", run_id).code == 0
