"""Plain text: the texts of the chunks alone, and whether the answer was whole."""

from codecs import getincrementaldecoder
from collections.abc import AsyncGenerator
from typing import Final

from pydantic_core import to_json

from tests.conversation.ways import Refused
from tests.conversation.ways.http import Answer, Requests, json_of
from tests.support.story import Log
from tests.support.wire import Broken
from yieldwire.errors import Json

WHOLE: Final = "■"
"""After the text of an answer that came to its own end."""
BROKEN: Final = "✂"
"""After one that did not: the run has not completed, or its text does not count."""


class Texts(Requests):
    """Answers of plain text."""

    accept = "text/plain"

    def shows(self, log: Log) -> str:
        """Return the texts, and how the answer ends."""
        shown = ""
        for _, kind, data in log:
            if kind == "chunk":
                shown += data if isinstance(data, str) else data.get("text", "")
            elif kind not in {"question", "answer"}:
                return shown + (WHOLE if kind == "done" else BROKEN)
        return shown

    async def start(self, action: str, value: object = None, *, key: str | None = None) -> "Text":
        """Start a run by a POST whose answer is its text."""
        body = to_json({} if value is None else value)
        headers = {"Idempotency-Key": key} if key else {}
        return await self._opened("POST", f"/{action}", headers, body)

    async def attach(self, action: str, run_id: str, cursor: str | None = None) -> "Text":
        """Read a run's text."""
        headers = {"Last-Event-ID": cursor} if cursor else {}
        return await self._opened("GET", f"/runs/{run_id}/events", headers)

    async def _opened(
        self, method: str, path: str, headers: dict[str, str], body: bytes | None = None
    ) -> "Text":
        reading = self.kept(Text(self))
        reading.text = reading.over(method, path, headers | {"Accept": self.accept}, body)
        assert await anext(reading.text) == ""  # its head has come
        return reading


class Text:
    """A reader of text, who can start over but not continue."""

    id: str
    text: AsyncGenerator[str, None]

    def __init__(self, way: Texts) -> None:
        self._way, self._rest = way, ""
        self.cursor: Final = ""

    async def over(
        self, method: str, path: str, headers: dict[str, str], body: bytes | None
    ) -> AsyncGenerator[str, None]:
        """Yield nothing at first, and then the pieces of the text."""
        decode = getincrementaldecoder("utf-8")().decode
        async with self._way.carrier.exchange(method, path, headers, body) as answer:
            await self._check(answer)
            yield ""
            try:
                async for piece in answer.pieces():
                    yield decode(piece)
            except Broken:
                yield BROKEN
            else:
                yield WHOLE

    async def _check(self, answer: Answer) -> None:
        if answer.status >= 400:
            await json_of(answer)
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        self.id = answer.headers["run-id"]

    async def read(self, log: Log) -> str:
        """Return as much text as that of ``log``, when the run has come so far."""
        wanted = len(self._way.shows(log))
        if not wanted:
            seq = 0
            while seq < log[-1][0]:
                path = f"/runs/{self.id}?after={seq}&wait=1"
                seq = (await self._way.ask("GET", path))["seq"]
        while len(self._rest) < wanted:
            self._rest += await anext(self.text)
        read, self._rest = self._rest[:wanted], self._rest[wanted:]
        return read

    async def result(self) -> Json:
        """Read to the end, and ask for what the text does not say."""
        async for _ in self.text:
            pass
        snapshot = await self._way.ask("GET", f"/runs/{self.id}")
        if snapshot["error"] is not None:
            raise Refused(snapshot["error"])
        return snapshot["result"]

    async def leave(self) -> None:
        """Close the connection."""
        await self.text.aclose()
