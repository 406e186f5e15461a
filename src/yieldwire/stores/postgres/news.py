"""What processes tell each other: which runs have something new, in few notifications."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

News: TypeAlias = Mapping[str, int | None]
"""The last seqs of logs by run; ``None``: anything about the run can have changed."""

_GATHER_SECONDS: Final = 0.01
"""How long news is gathered: a commit that notifies takes a lock of the whole server."""
_PAYLOAD_BYTES: Final = 7_900
"""A notification has fewer than 8000."""


def payloads(sender: str, news: News) -> Iterator[str]:
    """Yield the payloads of as few notifications as tell the news."""
    payload = sender
    for run_id, last in news.items():
        item = f" {run_id}" if last is None else f" {run_id}:{last}"
        if len(payload) + len(item) > _PAYLOAD_BYTES:
            yield payload
            payload = sender
        payload += item
    yield payload


def told(payload: str) -> tuple[str, News]:
    """Return who sent a payload, and the news in it; what cannot be read is ignored."""
    sender, *items = payload.split(" ")
    news: dict[str, int | None] = {}
    for item in items:
        run_id, has_last, last = item.partition(":")
        if not has_last:
            news[run_id] = None
        elif last.isdigit():
            news[run_id] = int(last)
    return sender, news


class Telling:
    """Tells other processes: the first news at once, and what follows at most every 10 ms.

    ``send`` sends the payloads, in a task that ``own`` creates. If that fails, they are lost.
    """

    def __init__(
        self,
        sender: str,
        send: Callable[[Sequence[str]], Coroutine[Any, Any, None]],
        own: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self._sender, self._send, self._own = sender, send, own
        self._news: dict[str, int | None] = {}
        self._timer: asyncio.Handle | None = None

    def tell(self, run_id: str, last: int | None = None) -> None:
        """Tell that a log has events up to ``last``, or that anything can have changed."""
        known = self._news.get(run_id, 0)
        self._news[run_id] = None if last is None or known is None else max(last, known)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        if not self._news:
            self._timer = None
            return
        news, self._news = self._news, {}
        self._own(self._send([*payloads(self._sender, news)]))
        self._timer = asyncio.get_running_loop().call_later(_GATHER_SECONDS, self._flush)

    def close(self) -> None:
        """Tell the last news."""
        if self._timer is not None:
            self._timer.cancel()
            self._flush()
        if self._timer is not None:
            self._timer.cancel()
