"""Wake-ups from other processes: one connection listens for all readers of this one.

Theory of operation. Each run has a channel, on which every change of its log, its inbox and its
end is announced with a number, and a small block as a whole: it goes to the cache of newest blocks,
so that readers at the end of the log ask nobody. This process subscribes to the channel of a run
when the first of its readers waits for it. Once the subscription is confirmed, one look at the run
tells where it is, and from then on the announcements do: a later wait asks nobody. A subscription
is dropped some seconds after the last wait, and with it the cached blocks, as nothing tells any
longer whether they are still in the log. If this process writes the log, its readers need no
announcements, so the subscription is dropped earlier.

If the connection is lost, it is opened again, and every run that is awaited is looked at. A user
without the right to listen polls instead.
"""

import asyncio
import logging
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from yieldwire.errors import StoreError
from yieldwire.stores.redis.links import RedisLinks
from yieldwire.stores.redis.records import to_block
from yieldwire.stores.redis.server import (
    FAILURES,
    Connection,
    is_forbidden,
    next_reply,
    packed,
)
from yieldwire.stores.tails import Tails

logger: Final = logging.getLogger("yieldwire.worker")

_TURN_SECONDS: Final = 1.0
"""How often to look after subscriptions, and to poll where listening is not allowed."""
_QUIET_TURNS: Final = 5
"""Turns without a word from the server, after which it is asked for one; after as many more the
connection counts as lost."""
_IDLE_SECONDS: Final = 5.0
"""How long a run that nobody waits for stays followed."""
OWN_SECONDS: Final = 0.1
"""How long at least if this process writes its log."""
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 1.0


class Followed:
    """What is known of a run that is followed: the newest seq and message announced so far."""

    __slots__ = ("idle_since", "is_subscribed", "is_sure", "number", "seq")

    def __init__(self) -> None:
        self.seq: float = 0
        self.number: float = 0
        """Both are infinite if the run has ended or is gone: nobody waits for it."""
        self.is_subscribed: bool = False
        self.is_sure: bool = False
        """Whether the channel is subscribed to, and whether the run was looked at since."""
        self.idle_since: float | None = None

    def note(self, seq: float, number: float) -> None:
        """Take what a look or an announcement tells."""
        self.seq, self.number = max(self.seq, seq), max(self.number, number)


class Wakeups:
    """Follows runs.

    Args:
        links: The store's connections.
        channel: What the name of every channel begins with.
        tails: Where announced blocks go.
        look: Looks at runs, and wakes their readers if there is something for them.
        wake: Wakes the readers of a run: a log's up to a seq, an inbox's up to a number.
        is_awaited: Whether somebody waits for a run.
    """

    def __init__(
        self,
        links: RedisLinks,
        channel: str,
        tails: Tails,
        *,
        look: Callable[[Iterable[str]], None],
        wake: Callable[[str, Followed], None],
        is_awaited: Callable[[str], bool],
    ) -> None:
        self._links, self._channel, self._tails = links, channel, tails
        self._look, self._wake, self._is_awaited = look, wake, is_awaited
        self._followed: dict[str, Followed] = {}
        self._unsent: set[str] = set()
        self._connection: Connection | None = None
        self._listening: asyncio.Task[Any] | None = None
        self._is_telling = self._is_polling = self._is_lost = False

    def follow(self, run_id: str) -> Followed:
        """Return what is known of a run, which is followed from now on."""
        followed = self._followed.get(run_id)
        if followed is None:
            followed = self._followed[run_id] = Followed()
            self._unsent.add(run_id)
            if self._listening is None:
                self._listening = self._links.tasks.own(self._listen())
            self._tell_soon()
        followed.idle_since = None
        return followed

    def release(self, run_id: str) -> None:
        """Stop to follow a run in some seconds, if nobody waits for it."""
        followed = self._followed.get(run_id)
        if followed is not None and not self._is_awaited(run_id):
            followed.idle_since = asyncio.get_running_loop().time()

    def wrote(self, run_id: str, seq: float, number: float = 0) -> None:
        """Take what this process has written itself, so that nobody needs to announce it here.

        The run is followed no longer if nobody has waited for it for an instant.
        """
        followed = self._followed.get(run_id)
        if followed is None:
            return  # as for nearly every event
        followed.note(seq, number)
        since, now = followed.idle_since, asyncio.get_running_loop().time()
        if followed.is_subscribed and since is not None and since < now - OWN_SECONDS:
            self._drop([run_id])

    def subscribed(self, run_ids: Iterable[str]) -> list[Followed | None]:
        """Return those of the runs whose announcements arrive, with ``None`` for the others."""
        known = map(self._followed.get, run_ids)
        return [each if each is not None and each.is_subscribed else None for each in known]

    def forget_all(self) -> None:
        """Follow nothing: the event loop is gone, or the store is closed."""
        self._followed.clear()
        self._unsent.clear()
        self._connection = self._listening = None
        self._is_telling = False

    async def close(self) -> None:
        """Close the connection."""
        listening = self._listening
        if listening is not None:
            listening.cancel()
            await asyncio.wait({listening})
        self.forget_all()

    async def _listen(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            try:
                connection = await self._links.connect()
                try:
                    await self._hear(connection)
                finally:
                    if self._connection is connection:
                        pause, self._connection = _FIRST_PAUSE, None
                    await connection.disconnect(nowait=True)
            except (*FAILURES, StoreError) as exc:
                self._lose(exc)
            except Exception as exc:
                logger.exception("listening for changes failed")
                self._lose(exc)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
            if self._is_polling:
                self._look([*self._followed])

    async def _hear(self, connection: Connection) -> None:
        """Take what the server says, until the connection fails."""
        self._connection, self._unsent = connection, {*self._followed}
        self._tell_soon()
        loop, quiet = asyncio.get_running_loop(), 0
        turn_at = loop.time() + _TURN_SECONDS
        while True:
            reply = await next_reply(connection, timeout=_TURN_SECONDS)
            quiet = quiet + 1 if reply is None else 0
            if quiet == _QUIET_TURNS:
                await connection.send_packed_command([packed((b"PING",))], check_health=False)
            elif quiet > 2 * _QUIET_TURNS:
                raise TimeoutError("the server is silent")
            if isinstance(reply, BaseException):
                raise reply
            if isinstance(reply, list):  # else PONG, as it is where nothing is subscribed to
                self._take(*reply)
            if loop.time() >= turn_at:
                turn_at = loop.time() + _TURN_SECONDS
                self._drop_idle(loop.time() - _IDLE_SECONDS)

    def _take(self, kind: bytes, name: bytes, what: Any = None) -> None:  # noqa: ANN401 - by its kind
        run_id = name.decode()[len(self._channel) :]
        followed = self._followed.get(run_id)
        if followed is None:
            return
        if kind == b"subscribe":
            self._is_polling = self._is_lost = False
            followed.is_subscribed = True
            self._look([run_id])
        elif kind == b"message":
            followed.note(*self._announced(run_id, what))
            self._wake(run_id, followed)

    def _announced(self, run_id: str, what: bytes) -> tuple[float, float]:
        """Return the seq and the number that a channel announces; both are infinite at the end."""
        if what == b"end":
            self._tails.forget(run_id)
            return math.inf, math.inf
        if what.startswith(b"m"):
            return 0, int(what[1:])
        place, _, body = what.partition(b"\n")
        seq, *rest = place.split(b" ", 3)
        if rest:
            first_seq, entry, name = rest
            self._tails.add(run_id, to_block(run_id, (entry, (name, body))), int(first_seq))
        return int(seq), 0

    def _lose(self, exc: BaseException) -> None:
        for run_id, followed in self._followed.items():
            followed.is_subscribed = followed.is_sure = False
            self._tails.forget(run_id)
        if not is_forbidden(exc):
            if not self._is_lost:  # logged once, however long it lasts
                logger.warning("listening for changes was interrupted: %s", exc)
            self._is_lost = True
        elif not self._is_polling:
            self._is_polling = True
            logger.warning(
                "readers poll every second, because the store's user is not allowed to listen; "
                "give it the channels &%s*: %s",
                self._channel,
                exc,
            )

    def _drop_idle(self, since: float) -> None:
        """Drop the subscriptions of runs that nobody has waited for since some time."""
        idle = [
            run_id
            for run_id, followed in self._followed.items()
            if followed.is_subscribed
            and followed.idle_since is not None
            and followed.idle_since < since
        ]
        self._drop(idle)

    def _drop(self, run_ids: Sequence[str]) -> None:
        for run_id in run_ids:
            del self._followed[run_id]
            self._tails.forget(run_id)
        self._unsent.update(run_ids)
        self._tell_soon()

    def _tell_soon(self) -> None:
        if self._unsent and self._connection is not None and not self._is_telling:
            self._is_telling = True
            self._links.tasks.own(self._tell(self._connection))

    async def _tell(self, connection: Connection) -> None:
        """Subscribe to what is followed, and no longer to what is not."""
        try:
            while self._unsent and connection is self._connection:
                unsent, self._unsent = self._unsent, set()
                wanted = [self._channel + each for each in unsent if each in self._followed]
                dropped = [self._channel + each for each in unsent if each not in self._followed]
                commands = [
                    packed((verb, *channels))
                    for verb, channels in ((b"UNSUBSCRIBE", dropped), (b"SUBSCRIBE", wanted))
                    if channels
                ]
                await connection.send_packed_command(commands, check_health=False)
        except FAILURES:
            return  # the task that listens notices
        finally:
            self._is_telling = False
            self._tell_soon()
