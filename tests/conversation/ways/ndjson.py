"""Newline-delimited JSON: a cursor is made of the run's id, and an event's seq and mark."""

from collections.abc import AsyncGenerator

from pydantic_core import from_json

from tests.conversation.ways.http import Answer, Stream, Streams, pieces_of
from tests.conversation.ways.reading import Entry


class Lines(Streams):
    """Streams of lines."""

    accept = "application/x-ndjson"

    async def entries_of(self, reading: Stream, answer: Answer) -> AsyncGenerator[Entry, None]:
        """Yield the events of the lines."""
        async for line in pieces_of(answer, b"\n"):
            event = from_json(line) if line.strip() else {}
            if "seq" in event:
                mark = f".{event['mark']}" if "mark" in event else ""
                reading.cursor = f"{reading.id}.{event['seq']}{mark}"
                yield event["seq"], event["type"], event["data"]
