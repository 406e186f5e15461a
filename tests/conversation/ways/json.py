"""One JSON answer for a whole run: the same call is repeated until it has all that is wanted."""

import asyncio
from uuid import uuid4

from tests.conversation.ways import TERMINAL, Refused
from tests.conversation.ways.http import Headers, Requests
from tests.conversation.ways.reading import PAUSE
from tests.support.story import Log, listed
from tests.support.wire import Broken
from yieldwire.errors import Json

WAIT = 0.02
"""Seconds that an answer waits for the end of a run that has not come to it."""


class Whole(Requests):
    """Answers of JSON."""

    async def start(
        self, action: str, value: object = None, *, key: str | None = None
    ) -> "Answered":
        """Start a run, and do not wait for its end."""
        headers = {"Idempotency-Key": key or uuid4().hex}
        reading = Answered(self, action, headers, value)
        reading.id = (await reading.ask(wait=0))["runId"]
        return reading

    async def attach(self, action: str, run_id: str, cursor: str | None = None) -> "Answered":
        """Ask for a run by a cursor of it; the answer is the whole run nevertheless."""
        reading = Answered(self, action, {"Last-Event-ID": cursor or f"{run_id}.0"})
        reading.id = run_id
        return reading


class Answered:
    """A caller who repeats a call."""

    id: str

    def __init__(self, way: Whole, action: str, headers: Headers, value: object = None) -> None:
        self._way, self._action, self._headers, self._value = way, action, headers, value
        self._seen = 0

    @property
    def cursor(self) -> str:
        return f"{self.id}.{self._seen}"

    async def ask(self, wait: float = WAIT, *, events: bool = False) -> dict[str, Json]:
        """Send the call again."""
        path = f"/{self._action}" + ("?events=true" if events else "")
        headers = {**self._headers, "Prefer": f"wait={wait}"}
        while True:
            try:
                answer: dict[str, Json] = await self._way.ask("POST", path, self._value, headers)
            except Broken:
                await asyncio.sleep(PAUSE)
            else:
                return answer

    async def read(self, log: Log) -> Log:
        """Ask until there are as many events, or the run has ended."""
        events: Log = []
        while len(events) < self._seen + len(log) and not (events and events[-1][1] in TERMINAL):
            events = listed((await self.ask(events=True))["events"])
        read = events[self._seen : self._seen + len(log)]
        self._seen += len(read)
        return read

    async def result(self) -> Json:
        """Ask until the run has ended."""
        while (answer := await self.ask(wait=10))["status"] == "running":
            pass
        if answer["error"] is not None:
            raise Refused(answer["error"])
        return answer["result"]

    async def leave(self) -> None:
        """Ask no more."""
