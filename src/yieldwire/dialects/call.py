"""One request of a foreign client, and everything that a dialect can do about it.

The verbs are those of every transport: callers, guards, limits, ownership, validation and
disconnects are handled by the same code as for native clients.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, suppress
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Final, TypeAlias

from yieldwire.actions.action import Action
from yieldwire.asgi.bodies import read_input, read_whole
from yieldwire.asgi.exchange import Exchange
from yieldwire.asgi.forms import coerce
from yieldwire.asgi.jsontext import parse_json
from yieldwire.asgi.site import Site
from yieldwire.asgi.starting import stream_in
from yieldwire.asgi.startrequest import facts_of
from yieldwire.dialects.translation import (
    UNANSWERABLE,
    Counting,
    DialectEncoder,
    Translation,
    explained,
)
from yieldwire.errors import CallError, ErrorObject, Json, ParseError, UsageError
from yieldwire.log.cursor import Cursor, check_within
from yieldwire.log.events import EventType
from yieldwire.log.message import Message
from yieldwire.log.question import Questions
from yieldwire.log.run import RunRecord, Verb, distinct_labels
from yieldwire.log.snapshot import Fold
from yieldwire.runs.access import Caller
from yieldwire.runs.reader import Reader
from yieldwire.runs.start import StartRequest
from yieldwire.stores import Query

AnyAction: TypeAlias = Action[..., Any, Any]

_SAFE: Final = frozenset({"GET", "HEAD"})


class Head:
    """The head of a request: what is known of it before its caller and its body."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.method: Final = exchange.method
        self.path: Final = exchange.path.strip("/")
        """The path below the mount, without slashes at its ends."""
        self.headers: Final[Mapping[str, str]] = exchange.headers
        """The headers by their lower-case names."""

    @cached_property
    def query(self) -> Sequence[tuple[str, str]]:
        """The parameters of the query, in their order."""
        return self._exchange.request.query_params.multi_items()

    @cached_property
    def cookies(self) -> Mapping[str, str]:
        """The cookies by their names."""
        return self._exchange.request.cookies


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A whole answer: its status, its body, and its headers in addition to the usual ones."""

    status: int = 200
    body: bytes = b""
    media_type: str = ""
    headers: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """How a run ended: its result, or its error."""

    result: Json = None
    error: ErrorObject | None = None


class ForeignCall:
    """One request of a foreign client, whose caller is known.

    Every verb raises what its native twin raises; what a dialect does not catch is told to the
    client by `Dialect.refusal`, or by the encoder once a stream has begun.

    Args:
        site: The application.
        exchange: The request.
        caller: Who sent it.
        own: The only action that can be called; ``None``: all of the application's.
        waits: Whether a run can wait for an answer that this client cannot give.
    """

    def __init__(
        self,
        site: Site,
        exchange: Exchange,
        caller: Caller,
        *,
        own: AnyAction | None,
        waits: bool,
    ) -> None:
        self._site, self._exchange = site, exchange
        self.caller: Final = caller
        self.head: Final = Head(exchange)
        self._own, self._waits = own, waits
        self._asked = 0
        """How often the stream came past a question that the client cannot answer."""

    # What came.

    def action(self, name: str) -> AnyAction:
        """Return the action with this name; the dialect's own one, if it is for one action only.

        Raises:
            NotFound: If there is none.
        """
        return self._own or self._site.app.registry.action_named(name)

    async def body(self) -> bytes:
        """Return the request's body.

        Raises:
            PayloadTooLarge: If it exceeds the limit for JSON.
            ParseError: If it ends early.
            RequestTimedOut: If it arrives too slowly.
        """
        exchange, site = self._exchange, self._site
        return await read_whole(
            exchange.headers, exchange.receive, site.request_limits, site.app.timing.body
        )

    async def json(self) -> Json:
        """Return the request's body, read strictly as JSON; an empty body is an empty object.

        Raises:
            CallError: As `body` says, and if it is not JSON.
        """
        body = await self.body()
        return self.parse(body) if body else {}

    def parse(self, text: bytes, *, around: int = 0) -> Json:
        """Return JSON from a request, read strictly; it can nest ``around`` levels deeper.

        Raises:
            ParseError: If it is not JSON.
        """
        return parse_json(text, self._site.request_limits.depth, around=around)

    async def fields(self, action: AnyAction) -> Json:
        """Return the input of ``action``: from the body, or from the query if there is none.

        Raises:
            CallError: As for a native start.
        """
        limits = self._site.request_limits
        if self.head.method in _SAFE or (
            self.head.query and "content-type" not in self.head.headers
        ):
            return coerce(self.head.query, action.input_schema, max_depth=limits.depth)
        exchange, idle = self._exchange, self._site.app.timing.body
        schema = action.input_schema
        return await read_input(exchange.headers, exchange.receive, schema, limits, idle)

    # What to do.

    async def start(
        self,
        action: AnyAction,
        read: Callable[[], Awaitable[Json]],
        *,
        key: str | None = None,
        labels: Sequence[str] = (),
        linger: float | None = None,
    ) -> RunRecord:
        """Start a run.

        Args:
            action: The action.
            read: Reads the input; called after the guards.
            key: An idempotency key, if the client has one.
            labels: Labels by which `newest` finds the run.
            linger: The most seconds to wait for this client to come back; 0 if it never does. A
                run that its action lets continue without readers is not affected.

        Raises:
            CallError: As for a native start. A GET can only come from a page of this origin,
                unless the action is a feed.
        """
        if self.head.method in _SAFE and not action.options.is_feed:
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

    async def newest(self, action: AnyAction, label: str) -> RunRecord | None:
        """Return the caller's newest run of ``action`` with this label, if there is one."""
        query = Query(owner=self.caller.owner, action=action.name, label=label, limit=1)
        runs = await self._site.app.find(query)
        return runs[0] if runs else None

    async def questions(self, run: RunRecord) -> Questions:
        """Return the questions of a run: those that are open, and the names of all."""
        return (await self._site.app.fold(run.id)).questions

    def attached(self, run: RunRecord, seconds: float) -> AbstractAsyncContextManager[None]:
        """Keep a run attached until its next reader comes, for at most ``seconds``."""
        return self._site.polls.waiting(run, seconds)

    async def answer(self, run_id: str, question: str, value: Json) -> Message:
        """Answer a question of a run. Raises what `App.answer` does."""
        return await self._site.app.answer(run_id, question, value, self.caller)

    async def cancel(self, run_id: str) -> RunRecord:
        """Ask a run to stop; it is idempotent. Raises what `run` does."""
        await self.run(run_id, "cancel")
        return await self._site.app.cancel(run_id)

    # What to answer.

    def add_header(self, name: str, value: str) -> None:
        """Add a header to the answer, whatever it will be."""
        add_headers(self._exchange, [(name, value)])

    async def reply(self, reply: Reply) -> None:
        """Send a whole answer."""
        await send_reply(self._exchange, reply)

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
        """
        check_within(after or 0, run.seq)
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
        place = None if is_new else Cursor(run.id, run.first_seq - 1)
        await stream_in(self._site, self._exchange, self.caller, run, place, translate)

    async def count(self, run: RunRecord, encoder: DialectEncoder) -> int:
        """Return how many frames ``encoder`` makes of what a run's log has at this moment."""
        blocks = partial(self._site.app.store.read, run.id)
        counting, after = Counting(encoder, run.id), run.first_seq - 1
        while after < run.seq and (page := await blocks(after)):
            for block in page:
                counting.encode(block)
            after = page[-1].last
        return counting.count

    async def outcome(self, run: RunRecord) -> RunOutcome:
        """Return how a run ends, as soon as it does.

        Raises:
            Unauthorized: If the caller loses access meanwhile.
        """
        site, fold = self._site, Fold(keeps_text=False, shows_debug=self._site.app.debug)
        async with site.reader_for(self.caller, run) as reader:
            await site.attend(self._exchange, reader, self._follow(reader, fold))
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


async def send_reply(exchange: Exchange, reply: Reply) -> None:
    """Send a whole answer."""
    add_headers(exchange, reply.headers)
    await exchange.answer(reply.status, reply.body, media_type=reply.media_type)


def add_headers(exchange: Exchange, headers: Sequence[tuple[str, str]]) -> None:
    """Add headers to an answer."""
    exchange.extra += [(each.lower().encode(), value.encode("latin-1")) for each, value in headers]
