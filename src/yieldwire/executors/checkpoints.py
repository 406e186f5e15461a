"""The checkpoints of one attempt: what earlier ones recorded, and what it records itself.

Theory of operation. A step is recorded before its result is returned. The saved place is not
waited for: it is noted with the seq of the last chunk before it, and a task writes the newest one
as soon as the log has that chunk. So thousands of saves are as many writes as the store can take,
and an action that does not save costs nothing.
"""

import asyncio
import inspect
import logging
from collections.abc import Coroutine, Mapping
from functools import partial
from typing import Any, Final

from pydantic_core import from_json, to_json

from yieldwire.actions.step import NUMBER, Step
from yieldwire.errors import Json, LimitExceeded, UsageError, YieldwireError
from yieldwire.executors import Holder
from yieldwire.executors.backoff import with_backoff
from yieldwire.executors.services import Services
from yieldwire.executors.writer import LogWriter
from yieldwire.log.events import one_line
from yieldwire.log.jsonvalue import check_readable
from yieldwire.log.misfit import invalid_output

logger: Final = logging.getLogger("yieldwire.worker")

PLACE: Final = "saved"
"""The checkpoint with the saved place: its value, and how far the attempt had talked by then."""
_NO_PLACE: Final = b'{"asked":0,"inbox":0,"value":null}'
_STEP: Final = "step:"
"""Before the name of a step in its checkpoint's name."""


class Recorder:
    """What one attempt records, and finds of earlier ones.

    ``recorded`` is what they recorded. ``inbox`` is the number of the last message that the action
    received before the saved place, and ``asked`` the number of questions that got a number; the
    conversation moves both, and each save includes them.
    """

    def __init__(
        self,
        holder: Holder,
        services: Services,
        writer: LogWriter,
        recorded: Mapping[str, bytes],
    ) -> None:
        self._holder, self._run, self._writer = holder, holder.run, writer
        self._store, self._limits, self._watch = services.store, services.limits, services.watch
        self._recorded = dict(recorded)
        self._size = sum(len(name) + len(data) for name, data in recorded.items())
        place = from_json(recorded.get(PLACE, _NO_PLACE))
        self.asked: int = place["asked"]
        self.inbox: int = place["inbox"]
        self._due: tuple[int, bytes] | None = None
        """The newest place that is not stored yet, and the seq before it."""
        self._saving: asyncio.Task[Any] | None = None
        self._saves = 0
        self._uses: dict[str, tuple[int, int]] = {}
        """How often the name of a step was used, and how many saves there were at that time."""

    # The saved place.

    @property
    def saved(self) -> Json:
        """The value of the saved place, or ``None``."""
        return from_json(self._recorded.get(PLACE, _NO_PLACE))["value"]

    def save(self, value: object, /) -> None:
        """Replace the saved place. The action's own thread, if it has one, can call this.

        Raises:
            InvalidOutput: If the value cannot be written as JSON.
            LimitExceeded: If the checkpoints would be too large.
            UsageError: If another thread calls this.
        """
        try:
            data = one_line(to_json(value))
            check_readable(data)
        except Exception as exc:
            raise invalid_output(self._run.action, "saved", value, exc) from exc
        is_in_loop, thread = self._writer.is_in_loop, self._writer.bridge
        if thread is None and not is_in_loop:
            raise UsageError("ctx.save() belongs in the action itself, not in another thread.")
        place = b'{"asked":%d,"inbox":%d,"value":%b}' % (self.asked, self.inbox, data)
        self._reserve(PLACE, place)
        self._saves += 1
        if thread is None or is_in_loop:
            self._note(place)
        else:
            thread.call(partial(self._note, place))

    def _note(self, place: bytes) -> None:
        self._due = self._writer.last_put, place
        if self._saving is None or self._saving.done():
            self._saving = self._holder.own(self._write())

    async def _write(self) -> None:
        try:
            while (due := self._due) is not None:
                if not await self._writer.reach(due[0]):
                    return  # the attempt is over; `finish` writes it if another one follows
                await self._write_place(due)
        except YieldwireError as exc:
            self._holder.stop_by(exc)

    async def _write_place(self, due: tuple[int, bytes]) -> None:
        seq, data = due
        await self._put(PLACE, data, seq)
        if self._due is due:
            self._due = None

    @property
    def is_due(self) -> bool:
        """Whether the newest place is not stored yet."""
        return self._due is not None

    async def finish(self) -> None:
        """Store the newest place, if it is not: the log is written, and another attempt follows.

        Raises:
            StoreError: If the store failed for longer than `store_patience`.
        """
        if self._saving is not None:
            await asyncio.wait({self._saving})
        if self._due is not None:
            await self._write_place(self._due)

    # Steps.

    def step(self, step: Step, /) -> Coroutine[Any, Any, Any]:
        """Return the step's recorded result, or make the call and record its result."""
        if not self._writer.is_in_loop:
            raise UsageError("A blocking action waits for a step: write ctx.blocking.step(…).")
        return self._step(step, self._key(step.name))  # numbered now, in the order of the calls

    async def _step(self, step: Step, key: str) -> Any:  # noqa: ANN401 - the function's own type
        if (data := self._recorded.get(key)) is not None:
            return step.read(data)
        attempt = 1
        while True:
            try:
                result = step.call() if step.is_async else await asyncio.to_thread(step.call)
                if inspect.isawaitable(result):
                    result = await result
                break
            except Exception as exc:
                if not self._repeats(step, exc, attempt):
                    raise
            await asyncio.sleep(step.retry.pause(attempt))
            attempt += 1
        return await self._record(step, key, result)

    def blocking_step(self, step: Step, /) -> Any:  # noqa: ANN401 - the function's own type
        """Do the same in the thread of a blocking action."""
        thread, key = self._writer.thread("step"), self._key(step.name)
        if (data := self._recorded.get(key)) is not None:
            return step.read(data)
        attempt = 1
        while True:
            try:
                result = step.call()
                if inspect.isawaitable(result):
                    result = thread.wait_for(partial(asyncio.wait_for, result, None))
                break
            except Exception as exc:
                if not self._repeats(step, exc, attempt):
                    raise
            thread.wait_for(partial(asyncio.sleep, step.retry.pause(attempt)))
            attempt += 1
        return thread.wait_for(partial(self._record, step, key, result))

    def _key(self, name: str) -> str:
        """Return the name of the checkpoint for the next step of this name."""
        count, saves = self._uses.get(name, (0, self._saves))
        if saves != self._saves:
            raise UsageError(
                f"The step {name!r} is used again after ctx.save(). A later attempt, which starts "
                "at the saved place, would take the first one's result: give each its own name."
            )
        self._uses[name] = count + 1, saves
        return f"{_STEP}{name}{NUMBER}{count + 1}" if count else f"{_STEP}{name}"

    def _repeats(self, step: Step, error: Exception, attempt: int) -> bool:
        if not step.repeats(error, attempt):
            return False
        logger.warning(
            "a step of %s is tried again: %s",
            self._run.action,
            step.name,
            exc_info=error,
            extra={"run_id": self._run.id},
        )
        return True

    async def _record(self, step: Step, key: str, result: object) -> Any:  # noqa: ANN401 - as above
        data = step.encode(self._run.action, result)
        value = step.read(data)
        self._reserve(key, data)
        try:
            await self._writer.reach(self._writer.last_put)
            await self._put(key, data)
        except YieldwireError as exc:
            self._holder.stop_by(exc)
            raise
        self._watch.step_recorded(self._run, step.name)
        return value

    # Both.

    def _reserve(self, name: str, data: bytes) -> None:
        old = self._recorded.get(name)
        size = self._size + len(data) + (len(name) if old is None else -len(old))
        if size > (most := self._limits.max_saved_bytes):
            raise LimitExceeded(
                f"The steps and the saved place of the run are over the limit of {most} bytes."
            )
        self._recorded[name], self._size = data, size

    async def _put(self, name: str, data: bytes, seq: int | None = None) -> None:
        run = self._run
        save = partial(self._store.save, run.id, name, data, seq=seq, fence=run.fence)
        await with_backoff(save, self._limits.store_patience, run.id)
