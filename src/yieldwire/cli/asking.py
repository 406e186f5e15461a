"""Puts a run's questions to a person, while the run is shown.

Theory of operation. Each event is followed at once: it opens or closes questions. It is shown at
once as well, unless a person is answering: then it waits, so that nothing is written into the
prompt. A prompt ends when its answer is sent, or when its question is closed by somebody else.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

from pydantic_core import to_json

from yieldwire.cli.dialog import Away, Dialog, Person
from yieldwire.cli.display import Display, Terminal
from yieldwire.cli.question import AskedQuestion, command_for
from yieldwire.cli.target import ShownRun
from yieldwire.client import AsyncClient
from yieldwire.client.run import RemoteRun
from yieldwire.errors import AlreadyAnswered, RunEnded, ValidationFailed, YieldwireError
from yieldwire.log.cursor import Cursor
from yieldwire.log.events import Event, EventType
from yieldwire.log.question import Questions

Spawn: TypeAlias = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """How questions are answered.

    Attributes:
        person: Who answers them here; ``None``: nobody.
        url: Where they can be answered by ``yieldwire answer``; ``None``: nowhere.
        is_told: Whether a question without a person is shown with what to do about it.
    """

    person: Person | None = None
    url: str | None = None
    is_told: bool = True


class Asking:
    """A run in a terminal, with its questions."""

    def __init__(self, run: ShownRun, display: Display, answering: Answering, spawn: Spawn) -> None:
        self._run, self._display, self._spawn = run, display, spawn
        self._answering, self._person = answering, answering.person
        self._questions = Questions()
        self._waiting: deque[Event] = deque()
        self._answered: set[str] = set()
        self._task: asyncio.Task[None] | None = None
        self._prompted: str | None = None
        """The question whose prompt waits for a line."""

    def show(self, event: Event) -> None:
        """Show an event, and ask if it is a question."""
        self._questions.take(event)
        if self._prompted is not None and self._closes(event, self._prompted):
            self._end_prompt()
        self._waiting.append(event)
        self._advance()

    def stop(self) -> None:
        """Ask nothing more, and show what waits."""
        self._end_prompt()
        self._person, self._answering = None, Answering(is_told=False)
        self._advance()

    async def finish(self) -> None:
        """Wait until every question was put, and an answer that is being sent has arrived."""
        while self._task is not None:
            await asyncio.wait([self._task])

    @property
    def open(self) -> int:
        """How many questions have no answer yet."""
        return sum(question["id"] not in self._answered for question in self._questions.listed())

    def _closes(self, event: Event, question: str) -> bool:
        if event.type is EventType.QUESTION:
            return bool(event.value["id"] == question)  # it is asked again, perhaps in other words
        return self._questions.find(question) is None

    def _end_prompt(self) -> None:
        if self._prompted is not None and self._person is not None:
            self._person.retract()
        task, self._task, self._prompted = self._task, None, None
        if task is not None:
            task.cancel()

    def _advance(self) -> None:
        while self._waiting and self._task is None:
            event = self._waiting.popleft()
            if event.type is EventType.ANSWER and event.value["id"] in self._answered:
                self._answered.remove(event.value["id"])
                continue  # the person knows
            self._display.show(event)
            if event.type is EventType.QUESTION and self._questions.find(event.value["id"]):
                self._put(event.value)

    def _put(self, question: AskedQuestion) -> None:
        if self._person is not None:
            self._task = self._spawn(self._ask(question, self._person))
        elif self._answering.is_told:
            self._tell(question)

    def _tell(self, question: AskedQuestion) -> None:
        url = self._answering.url
        if url is None:
            self._display.note("  Only a person at a terminal can answer it here.")
        else:
            self._display.note(f"  {command_for(question, url, self._run.id)}")

    async def _ask(self, question: AskedQuestion, person: Person) -> None:
        try:
            await self._answer(question, person)
        except Away:
            self._tell(question)
        except YieldwireError as exc:
            self._display.note(f"The answer was not accepted: {exc}")
        self._task = self._prompted = None
        self._advance()

    async def _answer(self, question: AskedQuestion, person: Person) -> None:
        id_, dialog = question["id"], Dialog(person, question.get("schema", {}))
        while self._questions.find(id_):
            self._prompted = id_
            value = await dialog.value()
            self._prompted = None
            try:
                await self._run.answer(id_, value)
            except ValidationFailed as exc:
                dialog.reject(exc.field_errors or {})
            except (AlreadyAnswered, RunEnded):
                return  # an event says so, and why
            else:
                self._answered.add(id_)
                return


async def answer(client: AsyncClient, run_id: str, person: Person) -> bool:
    """Put the open questions of a run to a person, and return whether all have an answer.

    Raises:
        YieldwireError: If the run cannot be read.
    """
    snapshot = await client.snapshot(run_id)
    run = client.attach(run_id, str(Cursor(run_id, snapshot["seq"])))
    async with asyncio.TaskGroup() as tasks:
        asking = Asking(run, Terminal(), Answering(person=person), tasks.create_task)
        for question in snapshot["questions"]:
            asking.show(Event(0, EventType.QUESTION, to_json(question)))
        following = tasks.create_task(_follow_questions(run, asking))
        await asking.finish()
        following.cancel()
    return asking.open == 0


async def _follow_questions(run: RemoteRun, asking: Asking) -> None:
    with suppress(YieldwireError):  # an answer is refused for the same reason
        async for event in run.events():
            if event.type is not EventType.CHUNK:
                asking.show(event)
