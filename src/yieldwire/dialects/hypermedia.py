"""What the dialects have in common whose clients put the server's HTML into a page.

The page has an element for an action. It gets the action's form. The answer to the form is the
run's fragment, which follows the run by itself, or the form again with what is wrong. The page's
address names the run, so that after a reload the element gets the run instead of the form.
"""

import secrets
from abc import abstractmethod
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import ClassVar, Final
from urllib.parse import SplitResult, parse_qsl, quote, urlencode, urlsplit

from yieldwire.asgi import Actions
from yieldwire.asgi.pages.form import Form
from yieldwire.asgi.pages.markup import NOTHING, Markup, tag
from yieldwire.asgi.pages.run import status_of
from yieldwire.asgi.pages.value import label_of
from yieldwire.dialects.call import ForeignCall
from yieldwire.dialects.dialect import Dialect
from yieldwire.dialects.fragment import (
    NEWEST,
    NEWEST_BYTES,
    Fragment,
    FragmentEncoder,
    Library,
    TextHeaders,
    sheet,
    sheet_id,
)
from yieldwire.dialects.head import Head, Reply
from yieldwire.dialects.input import AnyAction
from yieldwire.errors import CallError, ErrorObject, Json, NotFound
from yieldwire.log.cursor import cursor_in
from yieldwire.log.events import Event
from yieldwire.log.run import RunRecord, Status

KEY: Final = "idempotency-key"
KEY_BYTES: Final = 16
HANDOVER: Final = 5.0
"""Seconds that a page has to follow a run that it was sent."""
_FAILURES: Final = 500
"""The statuses from here on are failures of the server."""
_PLAIN: Final = "application/x-www-form-urlencoded"
_CLASS: Final = "yieldwire-run"


class Hypermedia(Dialect):
    """Answers a library that puts the server's HTML into a page.

    Questions are forms too, so a run waits for their answers.
    """

    methods: ClassVar[tuple[str, ...]] = ("POST", "GET")
    stream_name: ClassVar[str]
    """The last part of the URL of a run's patches."""
    own_query: ClassVar[Sequence[str]] = ()
    """The names in a query that are the library's own."""

    @abstractmethod
    def sent(self, head: Head) -> bool:
        """Whether the library has sent a request, by its headers."""

    @abstractmethod
    def library(self, head: Head) -> Library:
        """Return the library that has sent a request, in its version."""

    def takes(self, actions: Actions, head: Head) -> bool:
        """Whether the library has sent a request, for an action or a run."""
        name, *rest = head.path.split("/")
        if name == "runs" and rest:
            return self.sent(head) or rest[1:] == [self.stream_name]
        return self.sent(head) and actions.app.registry.find(name) is not None and not rest

    async def answer(self, call: ForeignCall) -> None:
        """Answer with a form or a run's fragment, with its patches, or do what a form asks."""
        match [call.head.method, *call.head.path.split("/")]:
            case ["GET", "runs", run_id]:
                await self._show(call, await call.run(run_id), [])
            case ["GET", "runs", run_id, self.stream_name]:
                await self._follow(call, run_id)
            case ["POST", "runs", run_id, "cancel"]:
                await self._stop(call, run_id)
            case ["POST", "runs", run_id, "questions", question]:
                await self._answer(call, run_id, question)
            case ["GET", name] if not call.action(name).options.is_feed:
                await self._offer(call, call.action(name))
            case [_, name]:
                await self._start(call, call.action(name))
            case _:
                raise NotFound("There is nothing at this URL.")

    def refusal(self, head: Head, error: ErrorObject) -> Reply:
        """Return an error as HTML; for a run's patches as one of them, or only as its status."""
        match head.path.split("/"):
            case ["runs", run_id, self.stream_name]:
                return self._lost(self._fragment(head, run_id), error)
            case _:
                pass
        reason = tag("p", tag("strong", error.message))
        problem = tag("div", reason, class_="problem", role="alert")
        return self._refused(head, error, tag("div", problem, class_=_CLASS))

    def _refused(self, head: Head, error: ErrorObject, html: Markup) -> Reply:
        return _page(html, status=error.status if self.library(head).shows_refusals else 200)

    # An action: its form, and the start of a run.

    async def _offer(self, call: ForeignCall, action: AnyAction) -> None:
        """Answer with the run that the page's address names, or else with the action's form."""
        run_id = dict(_page_query(call.head)).get(_parameter(action), "")
        with suppress(CallError):  # it can be deleted, or somebody else's
            run = await call.run(run_id)
            if run.action == action.name:
                headers, _ = self.library(call.head).replacing(sheet_id(action.name))
                await self._show(call, run, headers)
                return
        form = self._form(call, action)
        form.button = "Start"
        await call.reply(_page(_titled(form, action)))

    async def _start(self, call: ForeignCall, action: AnyAction) -> None:
        form, is_read = self._form(call, action), False

        async def read() -> Json:
            nonlocal is_read
            is_read = True
            return await call.fields(action.input_schema, without=self.own_query)

        def refused(error: ErrorObject) -> Reply:
            return self._refused(call.head, error, _titled(form, action, error))

        call.refuse_by(refused)
        try:
            key = call.head.headers.get(KEY)
            run = await call.start(action, partial(form.fill, read), key=key)
        except CallError:
            if not is_read and call.head.headers.get("content-type") == _PLAIN:
                with suppress(CallError):  # a guard refused it: what was entered is not lost
                    await form.fill(read)
            raise
        address = _page_address(call.head, action, run)
        headers, more = self.library(call.head).replacing(sheet_id(form.ids), address)
        await self._show(call, run, headers, more)

    def _form(self, call: ForeignCall, action: AnyAction) -> Form:
        target = call.head.url
        return Form(
            title=label_of(action.name),
            schema=action.input_schema,
            takes_files=action.takes_files,
            target=target,
            ids=action.name,
            # A form that is sent twice, by a second click or a repeated request, starts one run.
            attributes=self.library(call.head).sending(target, secrets.token_urlsafe(KEY_BYTES)),
        )

    # A run: its fragment, its patches, and what a page asks of it.

    def _fragment(self, head: Head, run_id: str) -> Fragment:
        url = f"{head.root}/runs/{run_id}"
        stream = f"{url}/{self.stream_name}"
        return Fragment(run_id=run_id, url=url, stream=stream, library=self.library(head))

    def _fragment_of(self, call: ForeignCall, run: RunRecord) -> Fragment:
        action = next((each for each in call.actions if each.name == run.action), None)
        return replace(self._fragment(call.head, run.id), name=run.action, action=action)

    async def _show(
        self, call: ForeignCall, run: RunRecord, headers: TextHeaders, more: Markup = NOTHING
    ) -> None:
        """Answer with a run's fragment, and keep the run until the page follows it."""
        async with call.attached(run, HANDOVER):
            fragment = self._fragment_of(call, run)
            snapshot = await call.snapshot(run, with_text=True)
            events = await _newest(call, run, snapshot["seq"])
            await call.reply(_page(fragment.whole(snapshot, events, more), headers=headers))

    async def _follow(self, call: ForeignCall, run_id: str) -> None:
        """Answer with the patches after the client's place, or else with the whole state first."""
        run = await call.run(run_id)
        fragment, after = self._fragment_of(call, run), _place(call.head, run)
        snapshot = await call.snapshot(run, with_text=after is None)
        if after is not None:
            encoder = FragmentEncoder(fragment, seq=after, progress=snapshot["progress"])
            await call.stream(run, encoder, after=after)
            return
        seq: int = snapshot["seq"]
        first = fragment.patches(snapshot, await _newest(call, run, seq))
        encoder = FragmentEncoder(fragment, seq=seq, progress=snapshot["progress"], first=first)
        if status_of(snapshot).is_terminal:
            body = b"".join(encoder.begin(run.id))
            await call.reply(Reply(body=body, media_type=encoder.media_type))
        else:
            await call.stream(await call.run(run_id), encoder, after=seq)

    def _lost(self, fragment: Fragment, error: ErrorObject) -> Reply:
        """Return what tells a page that it cannot follow a run; it retries after a failure."""
        if error.retryable or error.status >= _FAILURES:
            return Reply(status=error.status)
        parts = fragment.standing(Status.FAILED, error=error)
        patches = [fragment.patch(part, html) for part, html in parts.items()]
        body = fragment.library.lines(patches) + b"\n"
        return Reply(body=body, media_type=FragmentEncoder.media_type)

    async def _stop(self, call: ForeignCall, run_id: str) -> None:
        run = await call.cancel(run_id)
        if run.status.is_terminal:
            await call.reply(Reply(status=204))
        else:
            await call.reply(_page(self._fragment(call.head, run.id).stopping()))

    async def _answer(self, call: ForeignCall, run_id: str, question_id: str) -> None:
        """Answer a question; the page learns from the run's patches that it is closed."""
        run = await call.run(run_id, "answer")
        fragment, questions = self._fragment_of(call, run), await call.questions(run)
        question = questions.find(question_id)
        if question is not None:
            form = fragment.answer_form(question)
            call.refuse_by(lambda error: self._refused(call.head, error, sheet(form, error)))
            value = await form.fill(partial(call.fields, question["schema"]))
        else:  # it is closed, which is found out when the answer is valid
            known = {} if fragment.action is None else fragment.action.asks
            kind = known.get(questions.name_of(question_id) or "")
            value = await call.fields({} if kind is None else kind.json_schema)
        await call.answer(run_id, question_id, value)
        await call.reply(Reply(status=204))


def _page(html: Markup, *, status: int = 200, headers: TextHeaders = ()) -> Reply:
    return Reply(
        status=status, body=html.encode(), media_type="text/html; charset=utf-8", headers=headers
    )


def _titled(form: Form, action: AnyAction, error: ErrorObject | None = None) -> Markup:
    header = tag("header", tag("h2", form.title))
    doc = tag("p", action.doc.partition("\n\n")[0], class_="muted") if action.doc else None
    return sheet(form, error, header, doc, class_=_CLASS)


async def _newest(call: ForeignCall, run: RunRecord, seq: int) -> Sequence[Event]:
    """Return the newest events of a run up to ``seq``, as many as a fragment shows."""
    now, found, size = await call.run(run.id), deque[Event](), 0
    async for block in call.log(now, seq - NEWEST):
        for event in block.events():
            if seq - NEWEST < event.seq <= seq:
                found.append(event)
                size += len(event.data)
            while size > NEWEST_BYTES and len(found) > 1:
                size -= len(found.popleft().data)
    return found


def _place(head: Head, run: RunRecord) -> int | None:
    """Return the event after which the client continues; ``None`` if it needs the whole state."""
    sent = head.headers.get("last-event-id")
    if sent is None:
        return None
    with suppress(CallError):  # a place that the log does not have
        seq = cursor_in(sent, run.id).seq
        is_over = run.status.is_terminal and seq == run.seq
        return seq if run.first_seq - 1 <= seq <= run.seq and not is_over else None
    return None


# The page's address, which names the run of an action.


def _parameter(action: AnyAction) -> str:
    return f"run-{action.name}"


def _page_url(head: Head) -> SplitResult:
    try:
        return urlsplit(head.headers.get("hx-current-url") or head.headers.get("referer", ""))
    except ValueError:  # such as a bracket that is not closed; no browser sends it
        return urlsplit("")


def _page_query(head: Head) -> list[tuple[str, str]]:
    return parse_qsl(_page_url(head).query, keep_blank_values=True)


def _page_address(head: Head, action: AnyAction, run: RunRecord) -> str:
    """Return the path of the page that has sent a request, with the run."""
    name = _parameter(action)
    kept = [(key, value) for key, value in _page_query(head) if key != name]
    path = quote(_page_url(head).path, safe="/%:@!$&'()*+,;=~-._") or "/"
    if path.startswith("//"):
        path = f"/.{path}"  # else it is the name of a host
    return f"{path}?{urlencode([*kept, (name, run.id)])}"
