"""Writes the files of a start to the server's object store, where the server offers that.

Whatever goes wrong with it, the files are sent with the start instead: so nothing depends on
whether this client can reach the object store, or the server has one.
"""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypeAlias

from pydantic_core import to_json

from yieldwire.client.body import Content, FilePart, Sent
from yieldwire.client.http import Http, is_lost, new_http, timeouts
from yieldwire.client.patience import Backoff, Lost
from yieldwire.client.wire import UPLOAD_BYTES_PER_SECOND, Request, Wire, path_of
from yieldwire.errors import Json, NotFound, UsageError, YieldwireError

logger: Final = logging.getLogger("yieldwire.client")

_TRIES: Final = 3
"""How often a file is written until it is sent with the start."""
_REPEATABLE: Final = frozenset({408, 429, 500, 502, 503, 504})
Pieces: TypeAlias = Callable[[], AsyncIterator[bytes]]
"""Returns a file's content, from the start each time."""
_OWN: Final = ("authorization", "cookie")
"""Headers that an HTTP client can add to every request, and which are for the server only."""


class Direct:
    """Sends the files of starts that have at least ``least`` bytes of them.

    Args:
        wire: The way to the server.
        http: Sends the files; ``None``: a client of its own.
        least: Bytes.
    """

    def __init__(self, wire: Wire, http: Http | None, least: int) -> None:
        self._wire, self._least = wire, least
        self._http, self._owns_http = http or new_http(), http is None
        self._refusing: set[str] = set()
        """Actions for whose files the server offers no place."""

    async def send(self, action: str, key: str, body: Content) -> tuple[Content, Mapping[str, str]]:
        """Write the files of ``body``; return the body to send instead, and headers for it.

        If that is not possible, it is the same body.
        """
        size = sum(file.size for file in body.files)
        if action in self._refusing or not body.files or size < self._least:
            return body, {}
        try:
            return await self._send(action, key, body)
        except NotFound:
            self._refusing.add(action)
        except (YieldwireError, Lost, LookupError, TypeError) as exc:
            logger.info("the files are sent with the start: %s", exc)
        return body, {}

    async def aclose(self) -> None:
        """Close the HTTP client, unless it was passed."""
        if self._owns_http:
            await self._http.aclose()

    async def _send(
        self, action: str, key: str, body: Content
    ) -> tuple[Content, Mapping[str, str]]:
        described = [
            {"sha256": await _sha256(file), "size": file.size, "contentType": file.content_type}
            for file in body.files
        ]
        place = await self._reserve(action, key, described)
        sent, before = Sent(body.files, body.on_upload), 0
        for file, upload in zip(body.files, place["uploads"], strict=True):
            await self._write(file, upload, partial(sent.pieces, file, before))
            before += file.size
        return body.referring([*map(to_json, described)]), {"Upload-Place": place["place"]}

    async def _reserve(self, action: str, key: str, files: Sequence[Json]) -> Mapping[str, Any]:
        content = to_json({"files": files})
        body = Content(content_type="application/json", length=len(content), parts=[content])
        headers = {"Accept": "application/json", "Idempotency-Key": key}
        path = path_of(action, "uploads")
        place: Mapping[str, Any] = await self._wire.json(
            Request(path=path, method="POST", headers=headers, body=body)
        )
        return place

    async def _write(self, file: FilePart, upload: Mapping[str, Any], pieces: Pieces) -> None:
        backoff = Backoff(replace(self._wire.patience, tries=_TRIES))
        while True:
            try:
                return await self._try_to_write(file, upload, pieces)
            except Lost as lost:
                await backoff.pause(lost)

    async def _try_to_write(
        self, file: FilePart, upload: Mapping[str, Any], pieces: Pieces
    ) -> None:
        request = self._http.build_request(
            upload["method"],
            upload["url"],
            content=pieces() if file.size else b"",
            headers={**upload["headers"], "Content-Length": str(file.size)},
            timeout=timeouts(self._wire.patience.connect),
        )
        for name in _OWN:
            request.headers.pop(name, None)
        seconds = self._wire.patience.idle + file.size / UPLOAD_BYTES_PER_SECOND
        try:
            async with asyncio.timeout(seconds):
                answer = await self._http.send(request, stream=True)
                await answer.aclose()
        except Exception as exc:
            if isinstance(exc, TimeoutError) or is_lost(exc):
                raise Lost(f"The object store cannot be reached: {exc}") from exc
            raise
        status = answer.status_code
        if status in _REPEATABLE:
            raise Lost(f"The object store answered HTTP {status}.")
        if status // 100 != 2:  # noqa: PLR2004 - the class of success
            raise UsageError(f"The object store refused the file {file.name!r}: HTTP {status}.")


async def _sha256(file: FilePart) -> str:
    digest = hashlib.sha256()
    async for piece in file.pieces():
        await asyncio.to_thread(digest.update, piece)
    return digest.hexdigest()
