"""Answers with a run's outcome as one JSON object, once the run has ended or asks something."""

import asyncio
from contextlib import aclosing, closing, suppress
from typing import Final

from pydantic_core import to_json

from yieldwire.asgi.exchange import PIECE_BYTES, Exchange, run_headers
from yieldwire.asgi.negotiation import Preferences, flag
from yieldwire.asgi.requestlimits import Allowance
from yieldwire.asgi.site import Site
from yieldwire.codecs.ndjson import NDJSONEncoder
from yieldwire.errors import ErrorObject, Json, PayloadTooLarge
from yieldwire.log.events import Block, EventType
from yieldwire.log.question import Questions
from yieldwire.log.run import RunRecord, Status, advance
from yieldwire.log.snapshot import Fold
from yieldwire.runs.access import Caller
from yieldwire.runs.reader import Reader


async def answer_when_ended(
    site: Site, exchange: Exchange, caller: Caller, run: RunRecord, prefer: Preferences
) -> None:
    """Answer when the run has ended or asks something, or when the caller has waited for long."""
    wait = min(
        site.app.timing.wait if prefer.wait is None else prefer.wait, site.app.timing.max_wait
    )
    has_query = bool(exchange.scope["query_string"])
    asked = has_query and flag(exchange.request.query_params.get("events"))
    most = site.request_limits.answer_bytes if asked else None
    fold = Fold(keeps_text=False, shows_debug=site.app.debug)
    with closing(_Heard(most, site.answers, fold)) as heard:
        page = await site.look(caller, run) if wait else None
        if page and page[-1].end is not None:
            for block in page:
                heard.take(block)
        else:
            async with site.reader_for(caller, run) as reader:
                with site.attend(exchange, reader):
                    await _read_to_pause(reader, heard, wait, site.app.timing.keepalive)
                reader.check()
        await _answer_heard(site, exchange, run, heard)


async def _answer_heard(site: Site, exchange: Exchange, run: RunRecord, heard: "_Heard") -> None:
    headers = run_headers(run.id, exchange.base)
    if heard.fault is not None:
        error = _too_large(run.id, exchange.base, heard.fault)
        await exchange.answer_error_object(error, headers)
        return
    end, outcome = heard.end, heard.outcome()
    status = advance(Status.RUNNING, end) if end else (await site.app.store.get(run.id)).status
    code = 202 if end is None else 200
    if outcome["error"] is not None:
        code = ErrorObject.from_dict(outcome["error"]).status
    questions = {"questions": heard.questions.listed()} if len(heard.questions) else {}
    body = to_json({"runId": run.id, "status": status.value, **outcome, **questions})
    if heard.has_events:
        body = b'%b,"events":[%b]}' % (body[:-1], heard.take_events())
    await exchange.answer(code, body, media_type="application/json", headers=headers)


def _too_large(run_id: str, base: str, fault: str) -> ErrorObject:
    error = PayloadTooLarge(
        f"The run's events are over the {fault}; stream them from {base}/runs/{run_id}/events."
    )
    return error.error_object(run_id)


class _Heard:
    """What an answer needs of a log: its end or its open questions, and its events if requested.

    From the blocks that were read, not from the store: there the run can be past its retention.
    It holds at most ``most_bytes`` of events, or ``None`` if they are not requested. Everything
    above one piece of an answer is taken from the shared ``allowance``, until this is closed.
    """

    def __init__(self, most_bytes: int | None, allowance: Allowance, fold: Fold) -> None:
        self.has_events: Final = most_bytes is not None
        self._encoder = NDJSONEncoder()
        self._lines: list[bytes] = []
        self._most, self._size = most_bytes or 0, 0
        self._allowance, self._taken = allowance, 0
        self._fold = fold
        self.questions: Final[Questions] = fold.questions
        self.end: EventType | None = None
        self.fault: str | None = None
        """The limit that the events exceed, if they do."""

    def take(self, block: Block) -> None:
        """Take what is needed from a block."""
        if block.has(EventType.QUESTION) or block.has(EventType.ANSWER):
            for event in block.events():
                self.questions.take(event)
        if block.end is not None:
            self.end = block.end
            self._fold.add(block.newest())
        if not self.has_events or self.fault is not None:
            return
        lines = self._encoder.encode(block)
        self._size += len(lines)
        shared = max(0, self._size - PIECE_BYTES)
        if self._size > self._most:
            self.fault = f"{self._most} bytes of one answer"
        elif not self._allowance.take(shared - self._taken):
            self.fault = "bytes that all answers can hold together"
        else:
            self._taken = shared
            self._lines.append(lines)
            return
        self._lines.clear()
        self.close()

    def close(self) -> None:
        """Release what is held of the allowance."""
        self._allowance.give_back(self._taken)
        self._taken = 0

    def outcome(self) -> dict[str, Json]:
        """Return how the run ended."""
        return self._fold.outcome()

    def take_events(self) -> bytes:
        """Return the events as the inside of a JSON array, and release them."""
        lines, self._lines = b"".join(self._lines), []
        return lines.removesuffix(b"\n").replace(b"\n", b",")


async def _read_to_pause(reader: Reader, heard: _Heard, wait: float, tick: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(wait), aclosing(reader.pages(0, tick=tick)) as pages:
            async for page in pages:
                if reader.caller.has_expired:
                    break
                for block in page:
                    heard.take(block)
                if len(heard.questions):
                    break  # the caller can answer them
