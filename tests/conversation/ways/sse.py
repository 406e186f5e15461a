"""Server-sent events: each frame's id is the cursor after it."""

from collections.abc import AsyncGenerator

from pydantic_core import from_json

from tests.conversation.ways.http import Answer, Stream, Streams, pieces_of
from tests.conversation.ways.reading import Entry


class Events(Streams):
    """Streams of server-sent events."""

    accept = "text/event-stream"

    async def entries_of(self, reading: Stream, answer: Answer) -> AsyncGenerator[Entry, None]:
        """Yield the events of the frames."""
        async for frame in pieces_of(answer, b"\n\n"):
            lines = [line for line in frame.decode().split("\n") if not line.startswith(":")]
            fields = dict(line.split(": ", 1) for line in lines)
            if "id" not in fields:
                continue
            reading.cursor = fields["id"]
            if (kind := fields.get("event", "chunk")) != "run":
                yield int(fields["id"].split(".")[1]), kind, from_json(fields["data"])
