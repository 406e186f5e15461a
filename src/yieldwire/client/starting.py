"""Starts runs on a server, once however often the request is sent, and cancels those given up."""

import asyncio
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from yieldwire.client.body import EMPTY, Content
from yieldwire.client.direct import Direct
from yieldwire.client.follower import EVENT_STREAM
from yieldwire.client.http import Answer
from yieldwire.client.patience import Lost
from yieldwire.client.run import RemoteRun
from yieldwire.client.wire import Request, Wire, foreign, path_of
from yieldwire.errors import YieldwireError

LEAVING_SECONDS: Final = 2.0
"""How long a cancelled start can take to tell the server."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """What is started, and how; `AsyncClient.start` describes it."""

    action: str
    key: str | None = None
    detached: bool = True
    webhook: str | None = None


class ClientStarts:
    """The starts of one client."""

    def __init__(self, wire: Wire, direct: Direct | None) -> None:
        self._wire, self._direct = wire, direct
        self._starting: set[asyncio.Task[Any] | None] = set()

    async def start(self, beginning: Beginning, body: Content) -> RemoteRun:
        """Start a run, and return it when the server has it.

        Raises:
            YieldwireError: If the call was refused, or the run failed before its first event.
        """
        action = beginning.action
        key = beginning.key or secrets.token_urlsafe(24)
        headers = {"Accept": EVENT_STREAM, "Idempotency-Key": key, **_naming(beginning.webhook)}
        if beginning.detached:
            headers["Prefer"] = "respond-async"
        if self._direct is not None:
            body, more = await self._direct.send(action, key, body)
            headers |= more
        request = Request(
            path=path_of(action), method="POST", headers=headers, body=body, starts=True
        )
        task = asyncio.current_task()
        self._starting.add(task)
        try:
            return await self._begin(request)
        except asyncio.CancelledError:
            if beginning.key is None:
                await self._cancel(action, key)
            raise
        finally:
            self._starting.discard(task)

    async def open(
        self, action: str, input: Mapping[str, object], *, webhook: str | None
    ) -> RemoteRun:
        """Read a feed.

        Raises:
            YieldwireError: If the call was refused.
        """
        headers = {"Accept": EVENT_STREAM, **_naming(webhook)}
        return await self._begin(
            Request(path=path_of(action), headers=headers, query=input, starts=True)
        )

    async def leave(self) -> None:
        """Wait for the starts that were cancelled: they tell the server first."""
        leaving = [task for task in self._starting if task is not None and task.cancelling()]
        if leaving:
            await asyncio.wait(leaving, timeout=2 * LEAVING_SECONDS)

    async def _cancel(self, action: str, key: str) -> None:
        with suppress(YieldwireError, Lost, TimeoutError):  # nobody is left to get the error
            async with asyncio.timeout(LEAVING_SECONDS):
                await self._wire.close(await self._wire.send(cancellation(action, key)))

    async def _begin(self, request: Request) -> RemoteRun:
        answer = await self._wire.repeat(lambda: self._opened(request))
        run_id = answer.headers["run-id"]
        try:
            if answer.headers.get("content-type", "").startswith(EVENT_STREAM):
                return RemoteRun(self._wire, run_id, answer=answer)
        except BaseException:
            await self._wire.close(answer)
            raise
        # A snapshot, of a detached run: everything in it is also in the log.
        await self._wire.close(answer)
        return RemoteRun(self._wire, run_id)

    async def _opened(self, request: Request) -> Answer:
        answer = await self._wire.send(request)
        if "run-id" not in answer.headers:
            await self._wire.close(answer)
            raise Lost(foreign(answer))
        return answer


def cancellation(action: str, key: str) -> Request:
    """Return the request that cancels the run that was started with a key."""
    headers = {"Accept": "application/json", "Idempotency-Key": key}
    return Request(path=path_of(action, "cancel"), method="POST", headers=headers, body=EMPTY)


def _naming(webhook: str | None) -> dict[str, str]:
    return {} if webhook is None else {"Webhook-URL": webhook}
