"""Several runs, followed at a time."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import from_json, to_json

from tests.cli.screen import showing
from tests.cli.terminal import run, running
from tests.conftest import Serve
from tests.support.world import BRISK
from yieldwire import ActionError, Actions, Context, Progress, Text
from yieldwire.cli.outcome import Outcome
from yieldwire.cli.several import TailedRun
from yieldwire.client import Client
from yieldwire.log.events import Event, EventType

actions = Actions(identify=lambda _: "ada", timing=BRISK)


@actions.action(asks=bool, linger=None)
async def count(ctx: Context, to: int) -> AsyncIterator[Progress]:
    for n in range(1, to):
        yield Progress(n, total=to, message=f"row {n}")
    await ctx.ask(bool, "Sure?")
    yield Progress(to, total=to, message=f"row {to}")


@actions.action
async def fail() -> None:
    raise ActionError("NO_STOCK", "Sold out.")


@actions.action(linger=None)
async def talk() -> AsyncIterator[Text]:
    yield Text("Some words.")
    await asyncio.Event().wait()


@pytest.fixture
def url(serve: Serve) -> str:
    return serve(actions).url


def snapshot(**members: Any) -> dict[str, Any]:  # noqa: ANN401 - any member
    nothing = dict.fromkeys(["progress", "waiting", "result", "error"])
    return {"action": "count", "status": "running", **nothing, "questions": [], **members}


def event(kind: str, value: object) -> Event:
    return Event(1, EventType(kind), to_json(value))


def test_several_runs_are_a_line_each_that_moves_and_then_says_how_each_ended(
    url: str, tmp_path: Path
) -> None:
    with Client(url) as client:
        first, second = client.start("count", {"to": 4}), client.start("talk")
        third = client.start("fail")
        ids = [first.id, second.id, third.id]
        with showing("tail", url, *ids, cwd=tmp_path, columns=80) as screen:
            screen.wait_for("failed, NO_STOCK: Sold out.")
            screen.wait_for("Some words.")
            lines = screen.wait_for("━━━━━━━···  75%")
            client.answer(first.id, "1", value=True)
            screen.wait_for("completed")
            client.cancel(second.id)
            code, ended = screen.finish()

    assert f"{first.id}  count             ━━━━━━━···  75%  Question 1: Sure?" in lines
    assert f"  yieldwire answer {url} {first.id} 1 yes" in "".join(lines).replace("\n", "")
    assert code == 1
    assert [line for line in ended if line][-3:] == [
        f"{third.id}  fail              failed, NO_STOCK: Sold out.",
        f"{first.id}  count             completed",
        f"{second.id}  talk              cancelled",
    ]


def test_without_a_terminal_the_outcomes_are_the_output(url: str, tmp_path: Path) -> None:
    with Client(url) as client:
        first, second = client.start("count", {"to": 4}), client.start("count", {"to": 2})
        with running("tail", url, first.id, second.id, cwd=tmp_path) as tail:
            tail.wait_for_note("75 %, 3 of 4, row 3")
            for each in (first, second):
                tail_questions(client, each.id)
            ended = tail.finish()

    assert ended.code == 0
    assert sorted(ended.out.splitlines()) == sorted(
        f"{each.id}  count             completed" for each in (first, second)
    )
    assert ended.err.count("100 %") == 2


def tail_questions(client: Client, run_id: str) -> None:
    while not client.attach(run_id).questions():
        pass
    client.answer(run_id, "1", value=True)


def test_with_json_each_event_says_its_run(url: str, tmp_path: Path) -> None:
    with Client(url) as client:
        ids = {client.start("fail").id, client.start("fail").id}
    ended = run("tail", url, *ids, "rnothere", "--json", cwd=tmp_path)

    told = [from_json(line) for line in ended.out.splitlines()]
    assert {(each["run"], each["seq"], each["type"]) for each in told} == {
        (run_id, 1, "error") for run_id in ids
    }
    assert (ended.code, ended.err[:19]) == (1, "rnothere  NOT_FOUND")


def test_runs_can_be_chosen_by_what_they_are(url: str, tmp_path: Path) -> None:
    with Client(url) as client:
        started = client.start("fail")
        with pytest.raises(ActionError):
            started.result()

    ended = run("tail", url, "--action", "fail", "--status", "failed", cwd=tmp_path)
    none = run("tail", url, "--status", "pending", cwd=tmp_path)

    assert (ended.code, started.id in ended.out) == (1, True)
    assert (none.code, none.out, none.err) == (0, "", "No run matches.\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Name the runs, or choose them"),
        (["r1", "--status", "running"], "Name the runs, or choose them"),
        (["r1", "r2", "--ask"], "--after and --ask are for one run"),
        (["--action", "fail", "--after", "r1.1"], "--after and --ask are for one run"),
    ],
)
def test_what_contradicts_itself_is_refused(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    ended = run("tail", "http://127.0.0.1:9/api", *arguments, cwd=tmp_path)

    assert (ended.code, message in ended.err) == (2, True)


def test_a_line_says_what_matters_most() -> None:
    tailed = TailedRun("r1")
    tailed.begin(
        snapshot(status="pending", waiting={"before": 0, "expectedMs": None, "notBefore": None})
    )
    said = [tailed.state()]
    for each in (
        event("chunk", "Some\nwords"),
        event("chunk", {"type": "progress", "current": 1, "message": "row 1"}),
        event("question", {"id": "1", "prompt": "Sure?"}),
        event("answer", {"id": "1"}),
    ):
        tailed.take(each)
        said.append(tailed.state())

    assert said == ["Next in line", "words", "row 1", "Question 1: Sure?", "row 1"]


@pytest.mark.parametrize(
    ("members", "end", "outcome"),
    [
        ({"status": "completed", "result": {"n": 1}}, 'completed, {"n":1}', Outcome.COMPLETED),
        ({"status": "completed", "result": "two\nlines"}, "completed, two lines", 0),
        (
            {"status": "failed", "error": {"code": "NO_STOCK", "message": "Sold out."}},
            "failed, NO_STOCK: Sold out.",
            Outcome.FAILED,
        ),
    ],
)
def test_a_run_that_has_ended_before_says_how(
    members: dict[str, Any], end: str, outcome: Outcome
) -> None:
    tailed = TailedRun("r1")

    tailed.begin(snapshot(**members))

    assert (tailed.end, tailed.outcome) == (end, outcome)
