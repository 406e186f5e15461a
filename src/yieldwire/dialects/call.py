"""One request of a foreign client, and everything that a dialect can do about it.

The verbs are those of every transport: callers, guards, limits, ownership, validation and
disconnects are handled by the same code as for native clients.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

from yieldwire.app.appending import Appending
from yieldwire.asgi.disconnect import Disconnected
from yieldwire.asgi.exchange import BrokenOff, Exchange, Headers
from yieldwire.asgi.host import HostAnswer, HostFailure, resolving
from yieldwire.asgi.site import OpenStream, Site
from yieldwire.asgi.starting import stream_in
from yieldwire.asgi.startrequest import facts_of
from yieldwire.dialects.head import Reply, add_headers, send_reply
from yieldwire.dialects.input import SAFE, AnyAction, ForeignInput
from yieldwire.dialects.translation import (
    DELETED,
    UNANSWERABLE,
    Counting,
    DialectEncoder,
    Translation,
    explained,
)
from yieldwire.errors import (
    CallError,
    ErrorObject,
    ForeignCursor,
    Json,
    NotFound,
    ParseError,
    UsageError,
)
from yieldwire.log.cursor import Cursor, check_within
from yieldwire.log.events import Block, EventType
from yieldwire.log.message import Message
from yieldwire.log.question import Questions
from yieldwire.log.run import RunRecord, Verb, distinct_labels
from yieldwire.log.snapshot import Fold
from yieldwire.runs.access import Caller
from yieldwire.runs.reader import Reader
from yieldwire.runs.start import StartRequest
from yieldwire.stores import Query


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """How a run ended: its result, or its error."""

    result: Json = None
    error: ErrorObject | None = None


class ForeignCall(ForeignInput):
    """One request of a foreign client, whose caller is known.

    Every verb raises what its native twin raises; what a dialect does not catch is told to the
    client by `Dialect.refusal`, or by the encoder once a stream has begun.

    Args:
        site: The application.
        exchange: The request.
        slot: The request's place among its caller's open streams.
        own: The only action that can be called; ``None``: all of the application's.
        waits: Whether a run can wait for an answer that this client cannot give.
    """

    def __init__(
        self,
        site: Site,
        exchange: Exchange,
        slot: OpenStream,
        *,
        own: AnyAction | None,
        waits: bool,
    ) -> None:
        super().__init__(site, exchange)
        self._slot = slot
        self.caller: Final[Caller] = slot.caller
        self._own, self._waits = own, waits
        self._asked = 0
        """How often the stream came past a question that the client cannot answer."""

    @property
    def actions(self) -> Sequence[AnyAction]:
        """The actions that can be called, in their order."""
        own = self._own
        return list(self._site.app.registry.actions) if own is None else [own]

    def action(self, name: str) -> AnyAction:
        """Return the action with this name; the dialect's own one, if it is for one action only.

        Raises:
            NotFound: If there is none.
        """
        return self._own or self._site.app.registry.action_named(name)

    # What to do.

    async def start(
        self,
        action: AnyAction,
        read: Callable[[], Awaitable[Json]],
        *,
        key: str | None = None,
        labels: Sequence[str] = (),
        linger: float | None = None,
        detached: bool = False,
    ) -> RunRecord:
        """Start a run.

        Args:
            action: The action.
            read: Reads the input; called after the guards.
            key: An idempotency key, if the client has one.
            labels: Labels by which `newest` finds the run.
            linger: The most seconds to wait for this client to come back; 0 if it never does. A
                run that its action lets continue without readers is not affected.
            detached: Whether the run continues without readers in any case.

        Raises:
            CallError: As for a native start. A GET can only come from a page of this origin,
                unless the action is a feed.
        """
        if self.head.method in SAFE and not action.options.is_feed:
            self._site.safety.check_origin(self.head.headers)
        try:
            distinct_labels(labels)
        except UsageError as exc:
            raise ParseError(f"This cannot identify a run: {exc}") from exc
        request = StartRequest(
            action=action,
            caller=self.caller,
            facts=facts_of(self._exchange, self.caller),
            read=read,
            key=key,
            labels=labels,
            linger=linger,
            detached=detached,
            resolve=resolving(self._exchange, action),
        )
        return await self._site.app.begin(request)

    async def run(self, run_id: str, verb: Verb = "read") -> RunRecord:
        """Return a run if the caller is allowed to do ``verb`` to it.

        Raises:
            NotFound: If there is no such run.
            Unauthorized: If the caller is anonymous and the run has an owner.
            Forbidden: If the run is another owner's.
        """
        return await self._site.app.get(run_id, self.caller, verb)

    async def run_at(self, place: Cursor, action: AnyAction) -> RunRecord:
        """Return a place's run. Raises what `run` does, and `ForeignCursor` for another action."""
        run = await self.run(place.run_id)
        if run.action != action.name:
            raise ForeignCursor("The event's id belongs to a run of another action.")
        return run

    async def newest(self, action: AnyAction | None, label: str) -> RunRecord | None:
        """Return the caller's newest run with this label, if there is one.

        ``action`` is whose run it must be; ``None``: any action's.
        """
        runs = await self.runs(label, action=action, limit=1)
        return runs[0] if runs else None

    async def runs(
        self,
        label: str,
        *,
        action: AnyAction | None = None,
        before: str | None = None,
        limit: int = 50,
    ) -> Sequence[RunRecord]:
        """Return the caller's runs with a label, the newest first; ``before`` is the id of one."""
        name = None if action is None else action.name
        owner = self.caller.owner
        query = Query(owner=owner, action=name, label=label, before=before, limit=limit)
        return await self._site.app.find(query)

    async def snapshot(self, run: RunRecord, *, with_text: bool = False) -> dict[str, Json]:
        """Return a run's state in one object."""
        return await self._site.app.snapshot(run.id, with_text=with_text)

    async def questions(self, run: RunRecord) -> Questions:
        """Return the questions of a run: those that are open, and the names of all."""
        return (await self._site.app.fold(run.id)).questions

    def attached(self, run: RunRecord, seconds: float) -> AbstractAsyncContextManager[None]:
        """Keep a run attached until its next reader comes, for at most ``seconds``."""
        return self._site.polls.waiting(run, seconds)

    async def answer(
        self, run_id: str, question: str, value: Json, *, key: str | None = None
    ) -> Message:
        """Answer a question of a run. Raises what `App.answer` does."""
        return await self._site.app.answer(run_id, question, value, self.caller, key=key)

    async def append(
        self,
        run: RunRecord,
        chunks: Sequence[bytes],
        *,
        log_bytes: int,
        end: tuple[EventType, bytes] | None = None,
    ) -> RunRecord:
        """Append to a run, as `Appending.append` does. Raises what that and `run` do."""
        await self.run(run.id, "send")
        return await Appending(self._site.app).append(run, chunks, log_bytes=log_bytes, end=end)

    async def cancel(self, run_id: str) -> RunRecord:
        """Ask a run to stop; it is idempotent. Raises what `run` does."""
        await self.run(run_id, "cancel")
        return await self._site.app.cancel(run_id)

    # What to answer.

    def add_header(self, name: str, value: str) -> None:
        """Add a header to the answer, whatever it will be."""
        add_headers(self._exchange, [(name, value)])

    def explain(self, exc: Exception) -> ErrorObject:
        """Return what a caller is told of one call's error; one that ends the request is raised."""
        if isinstance(exc, (Disconnected, BrokenOff, HostAnswer, HostFailure)):
            raise exc
        return self._exchange.explain(exc, debug=self._site.app.debug)[1]

    async def reply(self, reply: Reply) -> None:
        """Send a whole answer."""
        await send_reply(self._exchange, reply)

    def refuse_by(self, refusal: Callable[[ErrorObject], Reply]) -> None:
        """Let ``refusal`` tell an error before the first frame, which knows more of this request.

        It takes the place of `Dialect.refusal` for the rest of this request.
        """

        async def refuse(error: ErrorObject, headers: Headers) -> None:
            self._exchange.extra += headers
            await self.reply(refusal(error))

        self._exchange.refuse = refuse

    async def stream(
        self,
        run: RunRecord,
        encoder: DialectEncoder,
        *,
        after: int | None = None,
        skip: int | None = None,
    ) -> None:
        """Send a run's frames until it ends or the client leaves.

        Without a place this is the answer to the start of ``run``: an error before its first event
        is told as a refusal. With one it is a resume: the encoder is fed the log from its start,
        and the frames up to there are dropped.

        Args:
            run: The run.
            encoder: A new encoder.
            after: Resume after the event with this seq.
            skip: Resume after that many frames.

        Raises:
            ForeignCursor: If ``after`` is beyond the log's end.
            NotFound: If events behind ``after`` were deleted, so that there would be a gap.
        """
        check_within(after or 0, run.seq)
        if after and after + 1 < run.first_seq:
            raise NotFound(DELETED)
        opening = await self._site.app.ready()

        def ask() -> None:
            self._asked += 1
            if not self._waits and self._asked == 1:
                opening.tasks.own(self._look_for_questions(run.id))

        def translate(reader: Reader) -> Translation:
            return Translation(
                encoder,
                open_=partial(add_headers, self._exchange, encoder.headers),
                leave=reader.leave,
                ask=ask,
                after=after or 0,
                skip=skip or 0,
            )

        is_new = after is None and skip is None
        begin = after if after and encoder.is_stateless else run.first_seq - 1
        place = None if is_new else Cursor(run.id, begin)
        rest = await stream_in(self._site, self._exchange, self._slot, run, place, translate)
        if rest is not None:
            await rest

    async def page(
        self, run: RunRecord, after: int, *, wait: float = 0.0
    ) -> tuple[RunRecord, Sequence[Block]]:
        """Return what a run's log has after ``after``, as far as it fits a page, and the run.

        If there is nothing, wait for at most ``wait`` seconds. The run is as it was after that, so
        that it has ended before the page is empty. Each call counts as a poll: the run is kept as
        if it was read until then.

        Raises:
            ForeignCursor: If ``after`` is beyond the log's end.
            NotFound: If the run is gone, or the events that follow were deleted.
            Unauthorized: If the caller loses access meanwhile.
        """
        site, store = self._site, self._site.app.store
        check_within(after, run.seq)
        if after and after + 1 < run.first_seq:
            raise NotFound(DELETED)
        await site.polls.note(run)
        if wait and run.seq == after and not run.status.is_terminal:
            reader = site.reader_for(self.caller, run, is_needed=False)
            async with site.polls.waiting(run, wait), reader:
                with site.attend(self._exchange, reader):
                    await reader.news(after, wait)
                reader.check()
        page = await store.read(run.id, after)
        if not self._waits and any(block.has(EventType.QUESTION) for block in page):
            await self._end_if_asking(run.id)
        shown = page if site.app.debug else [block.without_debug() for block in page]
        return await store.get(run.id), shown

    async def delete(self, run: RunRecord) -> None:
        """Stop a run if it has not ended, and delete it. Raises what `run` does."""
        await self.run(run.id, "delete")
        if not run.status.is_terminal:
            await self.cancel(run.id)
            await self.outcome(run)
        await self._site.app.delete(run.id)

    async def count(self, run: RunRecord, encoder: DialectEncoder) -> int:
        """Return how many frames ``encoder`` makes of what a run's log has at this moment."""
        counting = Counting(encoder, run.id)
        async for block in self.log(run):
            counting.encode(block)
        return counting.count

    async def log(self, run: RunRecord, after: int = 0) -> AsyncIterator[Block]:
        """Yield the blocks of a run's log, as far as it was when ``run`` was read."""
        blocks, after = partial(self._site.app.store.read, run.id), max(after, run.first_seq - 1)
        while after < run.seq and (page := await blocks(after)):
            for block in page:
                yield block
            after = page[-1].last

    async def outcome(self, run: RunRecord) -> RunOutcome:
        """Return how a run ends, as soon as it does.

        Raises:
            Unauthorized: If the caller loses access meanwhile.
        """
        site, fold = self._site, Fold(keeps_text=False, shows_debug=self._site.app.debug)
        async with site.reader_for(self.caller, run) as reader:
            with site.attend(self._exchange, reader):
                await self._follow(reader, fold)
            reader.check()
        told = fold.outcome()
        error = None if told["error"] is None else explained(ErrorObject.from_dict(told["error"]))
        return RunOutcome(result=told["result"], error=error)

    async def _follow(self, reader: Reader, fold: Fold) -> None:
        tick = self._site.app.timing.keepalive
        async with aclosing(reader.pages(0, tick=tick)) as pages:
            async for page in pages:
                for block in page:
                    if block.has(EventType.QUESTION) and not self._waits:
                        await self._end_if_asking(reader.run_id)
                    if block.end is not None:
                        fold.add(block.newest())

    async def _look_for_questions(self, run_id: str) -> None:
        """End the run if it asks, and look again if it came past a question meanwhile."""
        seen = 0
        while seen != self._asked:
            seen = self._asked
            await self._end_if_asking(run_id)
        self._asked = 0

    async def _end_if_asking(self, run_id: str) -> None:
        """Cancel a run that asks what nobody here can answer, and waits for it without a limit."""
        with suppress(CallError):  # a caller who can only read waits for somebody else's answer
            await self.run(run_id, "cancel")
            questions = (await self._site.app.fold(run_id)).questions.listed()
            if any("expiresAt" not in question for question in questions):
                await self._site.app.cancel(run_id, UNANSWERABLE)
