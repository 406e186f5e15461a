import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from pydantic_core import to_json

from yieldwire.cli.asking import Answering, Asking
from yieldwire.cli.dialog import Away
from yieldwire.cli.display import JsonLines, Terminal
from yieldwire.cli.output import note
from yieldwire.errors import (
    AlreadyAnswered,
    Forbidden,
    Json,
    RunEnded,
    ValidationFailed,
    YieldwireError,
)
from yieldwire.log.events import Event, EventType

ASKED = {"id": "1", "prompt": "Publish this?", "name": "bool", "schema": {"type": "boolean"}}
AGAIN = {**ASKED, "prompt": "Publish it at last?"}
OTHER = {**ASKED, "id": "2", "prompt": "And now?"}


class Writer:
    """A person: a prompt is a line of stderr, and waits for `write`."""

    def __init__(self) -> None:
        self.lines: asyncio.Queue[str | None] = asyncio.Queue()

    async def ask(self, prompt: str) -> str:
        note(f"{prompt}_")
        line = await self.lines.get()
        if line is None:
            raise Away
        return line

    def retract(self) -> None:
        note("(retracted)")

    def tell(self, text: str) -> None:
        note(text)


class Door:
    """A run that accepts answers, except for those that it refuses."""

    id = "r1"

    def __init__(self, *refusals: YieldwireError) -> None:
        self._refusals = list(refusals)
        self.sent: list[tuple[str, object]] = []
        self.is_open = asyncio.Event()
        self.is_open.set()

    async def answer(self, question: str, value: object, /) -> object:
        self.sent.append((question, value))
        await self.is_open.wait()
        if self._refusals:
            raise self._refusals.pop(0)
        return None

    def events(self) -> AsyncIterator[Event]:
        raise NotImplementedError

    async def cancel(self) -> object:
        raise NotImplementedError

    async def snapshot(self) -> dict[str, Json]:
        raise NotImplementedError

    async def waiting(self) -> dict[str, Json] | None:
        raise NotImplementedError


@dataclass(kw_only=True)
class Desk:
    asking: Asking
    person: Writer
    door: Door
    capsys: pytest.CaptureFixture[str]
    _seq: int = field(default=0)

    def show(self, kind: EventType, value: object) -> None:
        self._seq += 1
        self.asking.show(Event(self._seq, kind, to_json(value)))

    def question(self, value: object = ASKED) -> None:
        self.show(EventType.QUESTION, value)

    def answer(self, by: str | None, *, value: object = True, question: str = "1") -> None:
        self.show(EventType.ANSWER, {"id": question, "value": value, "by": by})

    async def seen(self) -> list[str]:
        """Let everything run that can, and return the lines that were written since."""
        for _ in range(20):
            await asyncio.sleep(0)
        return self.capsys.readouterr().err.splitlines()

    async def write(self, line: str | None) -> list[str]:
        self.person.lines.put_nowait(line)
        return await self.seen()


@asynccontextmanager
async def desk(
    capsys: pytest.CaptureFixture[str], *refusals: YieldwireError
) -> AsyncGenerator[Desk, None]:
    person, door = Writer(), Door(*refusals)
    answering = Answering(person=person, url="http://h/a")
    async with asyncio.TaskGroup() as tasks:
        asking = Asking(door, Terminal(), answering, tasks.create_task)
        yield Desk(asking=asking, person=person, door=door, capsys=capsys)


async def test_an_open_question_is_put_to_the_person(capsys: pytest.CaptureFixture[str]) -> None:
    async with desk(capsys) as at:
        at.question()
        assert await at.seen() == ["Question 1: Publish this?", "answer [y/n]: _"]

        assert await at.write("y") == []
        at.answer(None)
        at.show(EventType.CHUNK, {"type": "progress", "current": 1})

        assert await at.seen() == ["1"]  # the own answer is not news
    assert at.door.sent == [("1", True)]


async def test_the_prompt_disappears_if_somebody_else_answers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with desk(capsys) as at:
        at.question()
        await at.seen()

        at.answer("ada")

        assert await at.seen() == ["(retracted)", "Question 1 was answered by ada: true"]
    assert at.door.sent == []


async def test_what_happens_during_a_prompt_is_shown_after_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with desk(capsys) as at:
        at.question()
        await at.seen()

        at.show(EventType.CHUNK, {"type": "progress", "current": 1})
        assert await at.seen() == []

        assert await at.write("n") == ["1"]


async def test_questions_are_put_one_after_the_other(capsys: pytest.CaptureFixture[str]) -> None:
    async with desk(capsys) as at:
        at.question()
        at.question(OTHER)
        assert await at.seen() == ["Question 1: Publish this?", "answer [y/n]: _"]

        assert await at.write("y") == ["Question 2: And now?", "answer [y/n]: _"]
        assert await at.write("n") == []
    assert at.door.sent == [("1", True), ("2", False)]


async def test_a_question_that_was_closed_before_its_turn_is_only_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with desk(capsys) as at:
        at.question()
        at.question(OTHER)
        at.answer("ada", question="2")
        await at.seen()

        assert await at.write("y") == [
            "Question 2: And now?",
            "Question 2 was answered by ada: true",
        ]


async def test_a_value_that_the_server_refuses_is_asked_for_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with desk(capsys, ValidationFailed({"_root": ["Not today"]})) as at:
        at.question()
        await at.seen()

        assert await at.write("y") == ["  Not today", "answer [y/n]: _"]
        assert await at.write("n") == []
    assert at.door.sent == [("1", True), ("1", False)]


async def test_an_answer_that_comes_too_late_is_told_by_the_first_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with desk(capsys, AlreadyAnswered()) as at:
        at.door.is_open.clear()
        at.question()
        await at.seen()
        await at.write("y")

        at.answer("ada", value=False)
        assert await at.seen() == []  # it is not known yet whose answer this is
        at.door.is_open.set()

        assert await at.seen() == ["Question 1 was answered by ada: false"]


async def test_a_value_that_was_refused_too_late_is_not_asked_for_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with desk(capsys, ValidationFailed({"_root": ["Not today"]})) as at:
        at.door.is_open.clear()
        at.question()
        await at.seen()
        await at.write("y")

        at.answer("ada")
        at.door.is_open.set()

        assert await at.seen() == ["  Not today", "Question 1 was answered by ada: true"]


async def test_the_end_of_the_run_ends_its_prompt(capsys: pytest.CaptureFixture[str]) -> None:
    async with desk(capsys) as at:
        at.question()
        await at.seen()

        at.show(EventType.ERROR, {"code": "TIMEOUT", "message": "Too long."})

        assert await at.seen() == ["(retracted)", "TIMEOUT: Too long."]


async def test_the_end_is_shown_when_the_answer_that_is_under_way_has_arrived(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with desk(capsys, RunEnded()) as at:
        at.door.is_open.clear()
        at.question()
        await at.seen()
        await at.write("y")
        at.show(EventType.ERROR, {"code": "TIMEOUT", "message": "Too long."})
        assert await at.seen() == []

        at.door.is_open.set()
        await at.asking.finish()

        assert await at.seen() == ["TIMEOUT: Too long."]


async def test_a_question_that_is_asked_again_has_a_new_prompt(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with desk(capsys) as at:
        at.question()
        await at.seen()

        at.question(AGAIN)

        assert await at.seen() == [
            "(retracted)",
            "Question 1: Publish it at last?",
            "answer [y/n]: _",
        ]
        await at.write("y")


async def test_a_person_who_leaves_a_question_open_is_told_how_to_answer_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with desk(capsys) as at:
        at.question()
        await at.seen()

        assert await at.write(None) == ["  yieldwire answer http://h/a r1 1 yes"]
        at.answer("ada")
        assert await at.seen() == ["Question 1 was answered by ada: true"]


async def test_another_refusal_is_told_and_leaves_the_question_open(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with desk(capsys, Forbidden()) as at:
        at.question()
        await at.seen()

        assert await at.write("y") == [
            "The answer was not accepted: You are not allowed to do this."
        ]


async def test_a_stop_ends_the_prompt_and_asks_nothing_more(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with desk(capsys) as at:
        at.question()
        at.question(OTHER)
        await at.seen()

        at.asking.stop()

        assert await at.seen() == ["(retracted)", "Question 2: And now?"]


@pytest.mark.parametrize(
    ("answering", "told"),
    [
        (Answering(url="http://h/a"), "  yieldwire answer http://h/a r1 1 yes"),
        (Answering(), "  Only a person at a terminal can answer it here."),
    ],
)
async def test_without_a_person_a_question_is_shown_with_what_to_do(
    answering: Answering, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with asyncio.TaskGroup() as tasks:
        asking = Asking(Door(), Terminal(), answering, tasks.create_task)

        asking.show(Event(1, EventType.QUESTION, to_json(ASKED)))

    assert capsys.readouterr().err.splitlines() == ["Question 1: Publish this?", told]


async def test_with_json_nothing_but_the_event_is_written(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with asyncio.TaskGroup() as tasks:
        asking = Asking(Door(), JsonLines(), Answering(is_told=False), tasks.create_task)

        asking.show(Event(1, EventType.QUESTION, to_json(ASKED)))

    shown = capsys.readouterr()
    assert shown.out == f'{{"seq":1,"type":"question","data":{to_json(ASKED).decode()}}}\n'
    assert shown.err == ""
