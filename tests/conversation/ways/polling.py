"""Polling: a run is started without a stream, and each answer has what is new."""

from collections.abc import AsyncGenerator

from tests.conversation.ways.http import Requests
from tests.conversation.ways.reading import Entry, EventReading


class Polls(Requests):
    """Polls of a run's snapshot."""

    async def start(self, action: str, value: object = None, *, key: str | None = None) -> "Polled":
        """Start a run that is not followed."""
        headers = {"Prefer": "respond-async", **({"Idempotency-Key": key} if key else {})}
        snapshot = await self.ask("POST", f"/{action}", value, headers)
        return self.kept(Polled(self, snapshot["id"]))

    async def attach(self, action: str, run_id: str, cursor: str | None = None) -> "Polled":
        """Poll a run."""
        return self.kept(Polled(self, run_id, cursor))


class Polled(EventReading):
    """A reader that polls."""

    def __init__(self, way: Polls, run_id: str, cursor: str | None = None) -> None:
        super().__init__(run_id, cursor)
        self._way = way

    async def entries(self) -> AsyncGenerator[Entry, None]:
        while True:
            snapshot = await self._way.ask("GET", f"/runs/{self.id}?after={self.cursor}&wait=1")
            for event in snapshot["events"]:
                self.cursor = f"{self.id}.{event['seq']}"
                yield event["seq"], event["type"], event["data"]
            self.cursor = snapshot["cursor"]
