"""The questions of one attempt, and the messages to it.

Theory of operation. What others say is in the run's inbox in the store. One task reads it while
somebody waits for something, and hands out each message in the order of acceptance: an answer to
its question, everything else to the action. The answer gets into the log before anything that the
action makes of it. The end of a question's time is a message too, which the attempt itself sends:
what the store accepts first closes the question, for every process and every later attempt.

An action that neither asks nor receives has no conversation, and costs nothing.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncGenerator, Coroutine, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from secrets import token_hex
from typing import Any, Final

from pydantic_core import from_json

from yieldwire.actions.action import Action
from yieldwire.actions.message import MessageType
from yieldwire.actions.question import UNSET, Inquiry
from yieldwire.errors import (
    AlreadyAnswered,
    AnswerTimedOut,
    LimitExceeded,
    RunEnded,
    StoreError,
    UsageError,
    ValidationFailed,
    YieldwireError,
)
from yieldwire.executors import Holder
from yieldwire.executors.backoff import with_backoff
from yieldwire.executors.checkpoints import Recorder
from yieldwire.executors.services import Services
from yieldwire.executors.unpacking import Unpacking, answer_data
from yieldwire.executors.writer import LogWriter
from yieldwire.log.events import Event, EventType
from yieldwire.log.message import Message
from yieldwire.log.question import Questions
from yieldwire.log.snapshot import iso_time
from yieldwire.log.transitions import needs_readers

logger: Final = logging.getLogger("yieldwire.worker")

TICK: Final = 15.0
"""Seconds between two signals that a run with an open question needs no other reader."""
_NOTHING: Final[Any] = object()
_PAUSE: Final = 0.1
"""Seconds before an inbox is read again that has answered early with nothing."""


class Conversation:
    """What one attempt asks and receives.

    ``questions`` are those that the log had when the attempt started, and ``records`` is what it
    records for later attempts.
    """

    def __init__(
        self,
        holder: Holder,
        services: Services,
        action: Action[..., Any, Any],
        writer: LogWriter,
        questions: Questions,
        records: Recorder,
    ) -> None:
        self._holder, self._services, self._action = holder, services, action
        self._writer, self._questions, self._store = writer, questions, services.store
        self._run, self._records = holder.run, records
        self._unpacking = Unpacking(services, holder.run.id)
        self._asking: set[str] = set()
        """The questions that were asked in this attempt, unless the asking was cancelled."""
        self._loop = writer.loop
        self._answers = defaultdict[str, asyncio.Future[Message]](self._loop.create_future)
        """The answers of questions that were asked, or that somebody has answered."""
        self._messages: list[Message] = []
        """Those that nobody has received yet."""
        self._news: asyncio.Future[None] = self._loop.create_future()
        """Ends the waits for a message."""
        self._read_to = 0
        self._waits = self._waits_for_answers = 0
        self._reading: asyncio.Task[Any] | None = None
        self._reader = token_hex(8)
        self._held_until = 0.0
        self._has_ended = False

    # Inquiry.

    def ask(self, question: Inquiry, /) -> Coroutine[Any, Any, Any]:
        """Ask, and return the answer. The question gets its id where this is called."""
        _check_in_loop("an answer", "ask")
        kind = self._declared(question.kind, self._action.asks.values(), "asks for", "asks")
        number = self._records.asked + (question.id is None)
        question_id = str(number) if question.id is None else question.id
        if question_id in self._asking:
            raise UsageError(f"The question {question_id!r} was asked before in this attempt.")
        outcome = b"{}"
        if question.default is not UNSET:
            try:
                outcome = b'{"value":%b}' % kind.dump(question.default)
            except ValidationFailed as exc:
                what = "has a file, or does" if kind.takes_files else "does"
                raise UsageError(f"ask(): default= {what} not match {kind.name}: {exc}") from exc
        self._asking.add(question_id)
        self._records.asked = number
        return self._ask(question, question_id, kind, outcome)

    def _declared(
        self, kind: object, declared: Iterable[MessageType[Any]], does: str, option: str
    ) -> MessageType[Any]:
        for each in declared:
            if each.annotation == kind:
                return each
        name = getattr(kind, "__name__", kind)
        raise UsageError(
            f"{self._action.name} {does} {name}, which it does not declare: write "
            f"@actions.action({option}={name})."
        )

    async def _ask(
        self, question: Inquiry, question_id: str, kind: MessageType[Any], outcome: bytes
    ) -> Any:  # noqa: ANN401 - as the action declares
        answer = self._answers[question_id]
        try:
            deadline = await self._tell(question, question_id, kind)
            with self._waiting(for_answer=True):
                await self._hold()
                if not await _is_done(answer, deadline and deadline - self._writer.now()):
                    await self._close(question_id, outcome)
                message = await asyncio.shield(answer)
            if not message.is_timeout:
                return await self._unpacking.value(kind, message.data)
        except asyncio.CancelledError:
            self._asking.discard(question_id)  # the action can wait for the answer again
            raise
        told = from_json(message.data)
        if "value" not in told:
            raise AnswerTimedOut(question_id, question.prompt)
        return kind.read(told["value"])

    async def _tell(
        self, question: Inquiry, question_id: str, kind: MessageType[Any]
    ) -> float | None:
        """Put a question into the log unless it is there, and return when its time is over."""
        known = self._questions.find(question_id)
        until = None
        if question.timeout is not None:
            until = iso_time(self._writer.now() + question.timeout)
            until = until if known is None else known.get("expiresAt", until)
        data = question.data(question_id, kind.name, kind.json_schema, until)
        is_closed = known is None and self._questions.name_of(question_id) is not None
        if not is_closed and known != (told := from_json(data)):
            await self._put_question(data)
            self._services.watch.question_asked(self._run, told)
        return None if until is None else datetime.fromisoformat(until).timestamp()

    async def _put_question(self, data: bytes) -> None:
        if len(data) > (most := self._services.limits.max_event_bytes):
            raise LimitExceeded(f"A question of {len(data)} bytes is over the limit of {most}.")
        self._put(EventType.QUESTION, data)
        try:
            await self._writer.reach(self._writer.last_put)
        except YieldwireError as exc:
            self._holder.stop_by(exc)
            raise

    def _put(self, kind: EventType, data: bytes) -> None:
        self._writer.put_encoded(b"!%b %b" % (kind.encode(), data))
        self._questions.take(Event(0, kind, data))

    async def _close(self, question_id: str, outcome: bytes) -> None:
        """End the time for an answer. If there is one, that counts."""
        limits, message = self._services.limits, Message(0, outcome, question_id, is_timeout=True)
        most, most_bytes = limits.max_messages, limits.max_inbox_bytes
        send = partial(self._store.send, self._run.id, message, most=most, most_bytes=most_bytes)
        with suppress(AlreadyAnswered, RunEnded):
            await with_backoff(send, limits.store_patience, self._run.id)

    # Receiving.

    def receive(self, kind: object, timeout: float | None) -> Coroutine[Any, Any, Any]:
        """Return the next message; ``None`` if the time or the action's function is over."""
        _check_in_loop("a message", "receive")
        return self._next(self._inbox_of(kind), timeout, None)

    def inbox(self, kind: object) -> AsyncGenerator[Any, None]:
        """Yield every message, until the action's function is over."""
        _check_in_loop("a message", "inbox")
        return self._inbox(self._inbox_of(kind))

    async def _inbox(self, kind: MessageType[Any]) -> AsyncGenerator[Any, None]:
        while (value := await self._next(kind, None, _NOTHING)) is not _NOTHING:
            yield value

    def blocking_inbox(self, kind: object) -> Iterator[Any]:
        """Do the same in the thread of a blocking action."""
        thread = self._writer.thread("inbox")
        return thread.iterate(self._inbox(self._inbox_of(kind)))

    def _inbox_of(self, kind: object) -> MessageType[Any]:
        declared = [] if self._action.inbox is None else [self._action.inbox]
        return self._declared(kind, declared, "receives", "inbox")

    async def _next(self, kind: MessageType[Any], timeout: float | None, over: object) -> Any:  # noqa: ANN401 - as declared
        """Return the next message; ``over`` if the time or the action's function is over."""
        until = None if timeout is None else self._loop.time() + timeout
        if not self._messages:
            await self._look(0.0)
        with self._waiting():
            while True:
                while self._messages:
                    if (value := await self._first(kind)) is not _NOTHING:
                        return value
                left = None if until is None else until - self._loop.time()
                if self._has_ended or not await _is_done(self._news, left):
                    return over

    async def _first(self, kind: MessageType[Any]) -> Any:  # noqa: ANN401 - as declared
        """Take the first message, and return its value unless it is not valid."""
        message, value = self._messages[0], _NOTHING
        try:
            value = await self._unpacking.value(kind, message.data)
        except ValidationFailed:
            extra = {"run_id": self._run.id}
            logger.warning("a message is ignored: it is not valid now", extra=extra)
        # Taken only now, so that none is lost if this is cancelled while its files are opened.
        if message not in self._messages:
            return _NOTHING  # another receiver was faster
        self._messages.remove(message)
        self._records.inbox = message.number
        return value

    # The inbox.

    @contextmanager
    def _waiting(self, *, for_answer: bool = False) -> Generator[None, None, None]:
        """Have the inbox read meanwhile."""
        self._waits += 1
        self._waits_for_answers += for_answer
        if not self._has_ended and (self._reading is None or self._reading.done()):
            self._reading = self._holder.own(self._read())
        try:
            yield
        finally:
            self._waits -= 1
            self._waits_for_answers -= for_answer
            if self._held_until and not self._waits_for_answers:
                self._held_until = 0.0
                self._holder.own(self._release())

    async def _read(self) -> None:
        try:
            while self._waits or self._questions:
                if self._waits_for_answers:
                    await self._hold()
                begun = self._loop.time()
                if not await self._look(TICK) and self._loop.time() - begun < _PAUSE:
                    await asyncio.sleep(_PAUSE)
        except YieldwireError as exc:
            self._holder.stop_by(exc)

    async def _look(self, wait: float) -> bool:
        """Read the inbox, and return whether there was something new."""
        read = partial(self._store.inbox, self._run.id, self._read_to, wait=wait)
        messages = await with_backoff(read, self._services.limits.store_patience, self._run.id)
        for message in messages:
            if message.number > self._read_to:
                self._read_to = message.number
                self._take(message)
        return bool(messages)

    def _take(self, message: Message) -> None:
        if message.question is None:
            if message.number > self._records.inbox:  # else an earlier attempt has received it
                self._messages.append(message)
                self._wake()
            return
        if self._questions.find(message.question) is not None:
            kind = self._action.asks.get(self._questions.name_of(message.question) or "")
            self._put(EventType.ANSWER, answer_data(message, kind))
        answer = self._answers[message.question]
        if not answer.done():
            answer.set_result(message)

    def _wake(self) -> None:
        self._news.set_result(None)
        self._news = self._loop.create_future()

    async def _hold(self) -> None:
        """Keep the run going without readers."""
        now = self._loop.time()
        if now + TICK > self._held_until and needs_readers(self._run):
            self._held_until = now + 3 * TICK
            with suppress(StoreError):  # the next tick tries again
                await self._store.hold(self._run.id, self._reader, seconds=3 * TICK)

    async def _release(self) -> None:
        if not self._waits_for_answers:
            with suppress(StoreError):
                await self._store.hold(self._run.id, self._reader, seconds=0)

    # The end.

    def end(self) -> None:
        """End the waits for messages: the action's function is over, and so are its helpers."""
        self._has_ended = True
        self._wake()

    def close(self) -> None:
        """Stop reading: the attempt is over."""
        self._unpacking.close()
        if self._loop.is_closed():
            return
        self.end()
        if self._reading is not None:
            self._reading.cancel()
        for answer in self._answers.values():
            answer.cancel()


async def _is_done(waited: "asyncio.Future[Any]", timeout: float | None) -> bool:
    """Wait at most ``timeout`` seconds, without cancelling what is waited for."""
    left = None if timeout is None else max(0.0, timeout)
    done, _ = await asyncio.wait({waited}, timeout=left)
    return bool(done)


def _check_in_loop(what: str, name: str) -> None:
    if asyncio._get_running_loop() is None:  # noqa: SLF001
        raise UsageError(
            f"Blocking code waits for {what} in its own thread: write ctx.blocking.{name}(…)."
        )
