"""Python code in the server's process: `actions.start`, which nobody identifies."""

from collections.abc import AsyncGenerator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final, TypeVar

from tests.conversation.ways import Place, Refused, StoryPlace, Way
from tests.conversation.ways.reading import Entry, EventReading
from tests.support.story import Log
from tests.support.wire import Broken
from yieldwire.actions.run import Run
from yieldwire.errors import Json, Unavailable, YieldwireError

T = TypeVar("T")


class InProcess:
    """A part of the application that starts runs for an owner."""

    def __init__(self, place: StoryPlace, owner: str, stack: AsyncExitStack) -> None:
        self._place, self._owner, self._stack = place, owner, stack
        self._actions: Final = place.story.actions

    def shows(self, log: Log) -> Log:
        """Return the events."""
        return log

    async def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Do the work in the application's loop, and raise its errors as callers see them."""
        try:
            done: T = await self._place.call(work)
            return done
        except YieldwireError as error:
            raise Refused(error_of(error)) from error

    async def start(self, action: str, value: object = None, *, key: str | None = None) -> "Reader":
        """Start a run."""
        start = self._actions.start.with_options(owner=self._owner, key=key)
        found = self._actions.app.registry.action_named(action)

        async def started() -> Run[Any]:
            return await start(found, {} if value is None else value)

        return self._kept(Reader(self, await self.call(started())))

    async def attach(self, action: str, run_id: str, cursor: str | None = None) -> "Reader":
        """Find the run."""
        found = self._actions.app.registry.action_named(action)
        run = await self.call(self._actions.runs.get(run_id, found))
        return self._kept(Reader(self, run, cursor))

    def _kept(self, reading: "Reader") -> "Reader":
        self._stack.push_async_callback(reading.leave)
        return reading

    async def run(self, run_id: str) -> Run[Any]:
        """Return a run's handle."""
        return await self.call(self._actions.runs.get(run_id))

    async def cancel(self, run_id: str) -> None:
        """Cancel the run."""
        await self.call((await self.run(run_id)).cancel())

    async def answer(self, run_id: str, question: str, value: object) -> None:
        """Answer as the owner."""
        await self.call((await self.run(run_id)).answer(question, value, by=self._owner))

    async def send(self, run_id: str, message: object) -> None:
        """Send as the owner."""
        await self.call((await self.run(run_id)).send(message, by=self._owner))


class Reader(EventReading):
    """A reader in the process; its cursor is a seq."""

    def __init__(self, way: InProcess, run: Run[Any], cursor: str | None = None) -> None:
        super().__init__(run.id, cursor or "0")
        self._way, self._run = way, run

    async def entries(self) -> AsyncGenerator[Entry, None]:
        events = self._run.events(int(self.cursor))
        try:
            while (event := await self._way.call(_next(events))) is not None:
                self.cursor = str(event.seq)
                yield event.seq, event.type.value, event.value
        except Refused as refused:
            if isinstance(refused.__cause__, Unavailable):
                raise Broken("the application has closed") from refused
            raise
        finally:
            await self._way.call(events.aclose())

    async def result(self) -> Json:
        return await self._way.call(self._run.result())


async def _next(events: AsyncGenerator[Any, None]) -> Any:  # noqa: ANN401 - an event
    return await anext(events, None)


def error_of(error: YieldwireError) -> dict[str, Json]:
    """Return an error as it is on the wire."""
    return error.error_object(getattr(error, "run_id", None)).to_dict()


@asynccontextmanager
async def enter(place: Place, caller: str) -> AsyncGenerator[Way, None]:
    """Be a part of the application."""
    assert isinstance(place, StoryPlace)
    async with AsyncExitStack() as stack:
        yield InProcess(place, caller, stack)
