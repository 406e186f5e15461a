"""The golden transcripts, run by the Python side: its codecs, and its ASGI application."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from pydantic_core import from_json, to_json
from starlette.types import Message as ASGIMessage
from starlette.types import Scope

from tests.conformance.actions import new_actions
from tests.conformance.transcripts import (
    FOLDER,
    Cursor,
    EncodeCase,
    ErrorCase,
    NDJSONDecodeCase,
    Part,
    Place,
    Request,
    Response,
    SocketStep,
    SocketStory,
    SSEDecodeCase,
    Step,
    Story,
    load,
    schema,
)
from tests.support.ndjson import NDJSONDecoder
from tests.support.sockets import HandSocket, refused, socket_to
from yieldwire import Actions, errors
from yieldwire.asgi.exchange import BrokenOff
from yieldwire.codecs import Decoder, Encoder
from yieldwire.codecs.ndjson import NDJSONEncoder
from yieldwire.codecs.sse import SSEDecoder, SSEEncoder, SSEParser
from yieldwire.codecs.text import TextEncoder
from yieldwire.codecs.websocket import message_of
from yieldwire.errors import ErrorObject, ParseError, ProtocolError, YieldwireError
from yieldwire.log.cursor import Cursor as LogCursor
from yieldwire.log.cursor import cursor_in, parse_cursor
from yieldwire.log.events import Block, Event, EventType

SSE, NDJSON, TEXT = load("sse"), load("ndjson"), load("text")
CURSORS, ERRORS = load("cursors"), load("errors")


REQUEST_HEADERS = {
    "accept",
    "authorization",
    "content-type",
    "idempotency-key",
    "if-none-match",
    "last-event-id",
    "prefer",
}
TOLD = {"allow", "content-type", "etag", "location", "preference-applied", "retry-after", "run-id"}
"""The headers of an answer that a socket carries; `null` for one is checked as well."""


def is_for_a_socket(step: Step) -> bool:
    """Whether a step is about what a request over a socket can have too."""
    headers, method = step.request.headers, step.request.method
    return (
        method in {"GET", "POST", "DELETE"}
        and step.meanwhile is None
        and headers.keys() <= REQUEST_HEADERS
        and "html" not in headers.get("accept", "")
    )


def named(cases: list[Any]) -> pytest.MarkDecorator:
    """Run a test for each case, by its name."""
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


def slicings(data: bytes) -> Iterator[list[bytes]]:
    """Yield ``data`` whole, cut at every place, and byte by byte."""
    yield [data]
    yield from ([data[:cut], data[cut:]] for cut in range(1, len(data)))
    yield [bytes([byte]) for byte in data]


def fed(decoder: Decoder, pieces: list[bytes]) -> list[dict[str, Any]]:
    events = [event for piece in pieces for event in decoder.feed(piece)]
    return [{"seq": each.seq, "type": each.type.value, "data": each.value} for each in events]


@named(SSE.decode)
def test_an_event_stream_is_the_same_messages_however_it_is_cut(case: SSEDecodeCase) -> None:
    for pieces in slicings("".join(case.text).encode()):
        parser = SSEParser()

        messages = [message for piece in pieces for message in parser.feed(piece)]

        found = [{"id": m.last_event_id, "type": m.event, "data": m.data} for m in messages]
        assert found == [message.model_dump() for message in case.messages]
        assert parser.retry_ms == case.retryMs


@named([case for case in SSE.decode if case.events is not None])
def test_native_frames_are_the_same_events_however_they_are_cut(case: SSEDecodeCase) -> None:
    for pieces in slicings("".join(case.text).encode()):
        decoder = SSEDecoder()

        events = fed(decoder, pieces)

        assert events == [event.model_dump() for event in case.events or ()]
        assert (decoder.cursor, decoder.first_seq) == (case.cursor, case.firstSeq)


@named(NDJSON.decode)
def test_lines_are_the_same_events_however_they_are_cut(case: NDJSONDecodeCase) -> None:
    if case.refused:
        with pytest.raises(ProtocolError, match="not an event"):
            fed(NDJSONDecoder(), ["".join(case.text).encode()])
        return
    for pieces in slicings("".join(case.text).encode()):
        decoder = NDJSONDecoder()

        events = fed(decoder, pieces)

        assert events == [event.model_dump() for event in case.events]
        assert decoder.first_seq == case.firstSeq


@named([case for case in SSE.decode if case.refused])
def test_what_is_not_a_native_frame_is_refused(case: SSEDecodeCase) -> None:
    with pytest.raises(ProtocolError, match="Not a frame"):
        fed(SSEDecoder(), ["".join(case.text).encode()])


@pytest.mark.parametrize(
    ("encoder", "case"),
    [
        pytest.param(encoder, case, id=f"{name}-{case.name}")
        for name, encoder, cases in [
            ("sse", SSEEncoder, SSE.encode),
            ("ndjson", NDJSONEncoder, NDJSON.encode),
            ("text", TextEncoder, TEXT.encode),
        ]
        for case in cases
    ],
)
def test_events_are_these_bytes(encoder: Callable[[], Encoder], case: EncodeCase) -> None:
    made = b"".join(encoded(encoder(), case.runId, part) for part in case.parts)

    assert made.decode() == "".join(case.text)


def encoded(encoder: Encoder, run_id: str, part: Part) -> bytes:
    if part.opening is not None:
        return encoder.opening(LogCursor(run_id, part.opening.after), to_json(part.opening.state))
    if part.chunks is not None:
        return encoder.encode(Block.of_chunks(run_id, part.first, [*map(to_json, part.chunks)]))
    if part.event is not None:
        event = Event(part.event.seq, EventType(part.event.type), to_json(part.event.data))
        return encoder.encode(Block.of_event(run_id, event.seq, event.type, event.data))
    if part.reset is not None:
        return encoder.reset(run_id, part.reset)
    if part.farewell is not None:
        return encoder.farewell(part.farewell) or b""
    return encoder.keepalive()


@pytest.mark.parametrize("case", CURSORS.valid)
def test_a_cursor_names_a_run_and_a_seq(case: Cursor) -> None:
    mark = None if case.mark is None else int(case.mark, 16)
    assert parse_cursor(case.cursor) == (case.runId, case.seq, mark)


@pytest.mark.parametrize("text", CURSORS.invalid)
def test_what_is_not_a_cursor_is_refused(text: str) -> None:
    with pytest.raises(ParseError, match="cannot be read"):
        parse_cursor(text)


@pytest.mark.parametrize("case", CURSORS.within, ids=[case.text for case in CURSORS.within])
def test_a_cursor_is_read_for_the_run_of_the_address(case: Place) -> None:
    try:
        found: Any = cursor_in(case.text, CURSORS.withinRunId).seq
    except YieldwireError as error:
        found = error.code

    assert found == (case.code if case.seq is None else case.seq)


@named(ERRORS.objects)
def test_an_error_object_is_read_and_written_whole(case: ErrorCase) -> None:
    assert ErrorObject.from_dict(case.object).to_dict() == case.read


def test_the_table_of_codes_is_what_the_errors_say() -> None:
    classes = [each for each in vars(errors).values() if is_wire_error(each)]
    said = {each.code: (each.status, each.retryable) for each in classes}

    assert {each.code: (each.statusCode, each.retryable) for each in ERRORS.codes} == said


def is_wire_error(each: object) -> bool:
    """Whether ``each`` is an error that a server answers with, under a code of its own."""
    is_error = isinstance(each, type) and issubclass(each, YieldwireError)
    return is_error and "code" in vars(each) and each is not errors.Unreachable


async def test_the_schema_describes_the_transcripts() -> None:
    # If not: python -m tests.conformance.transcripts
    assert from_json(FOLDER.joinpath("schema.json").read_bytes()) == schema()


@named(load("exchanges"))
async def test_the_application_answers_as_the_transcripts_say(case: Story) -> None:
    actions, known = new_actions(), dict[str, str]()
    async with actions.lifespan():
        for step in case.steps:
            stop = actions.drain if step.meanwhile is not None else None

            answer = await exchange(actions, step.request, known, stop)

            check(answer, step.response, known)


@named([case for case in load("exchanges") if all(is_for_a_socket(step) for step in case.steps)])
async def test_the_application_answers_the_same_over_a_socket(case: Story) -> None:
    actions, known = new_actions(), dict[str, str]()
    async with actions.lifespan():
        for step in case.steps:
            answer = await over_socket(actions, step.request, known)

            told = {name: step.response.headers[name] for name in TOLD & set(step.response.headers)}
            check(answer, step.response.model_copy(update={"headers": told}), known)


@named(load("websocket"))
async def test_a_socket_carries_what_the_transcripts_say(case: SocketStory) -> None:
    actions, known = new_actions(), dict[str, str]()
    fields = [*case.headers.items()]
    scope: dict[str, Any] = {"host": "conformance.example", "server": None}
    async with actions.lifespan():
        if case.refused is not None:
            assert (await refused(actions, fields, **scope))["status"] == case.refused.status
            return
        async with socket_to(actions, fields, protocols=case.protocols, **scope) as hand:
            assert hand.subprotocol == case.selected
            for step in case.steps:
                await take(step, hand, known)


async def take(step: SocketStep, hand: HandSocket, known: dict[str, str]) -> None:
    if step.say is not None:
        hand.say_text(replaced("\n".join(step.say), known))
    elif step.piece is not None:
        hand.say_bytes(message_of(step.piece, "".join(step.text).encode()))
    elif step.granted is not None:
        head = (await hand.told()).head
        assert (set(head), head["id"]) == ({"id", "credit"}, step.granted)
    elif step.closes is not None:
        assert await hand.closed() == step.closes
    elif step.answer is not None and step.response is not None:
        check(await answer_on(hand, step.answer), step.response, known)


def replaced(text: str, known: Mapping[str, str]) -> str:
    """Return a message with what is known of it; JSON's own braces stay."""
    for name, value in known.items():
        text = text.replace(f"{{{name}}}", value)
    return text


async def answer_on(hand: HandSocket, number: int) -> "Answer":
    """Return an answer, from however many messages it is in."""
    sent: list[ASGIMessage] = []
    told: dict[str, Any] = {}
    while not told.keys() & {"end", "aborted"}:
        message = await hand.told()
        if message.head.get("id") == number and "credit" not in message.head:
            told = {**message.head, "body": message.body}
            sent.append(told)
    return Answer(
        [
            {"status": sent[0]["status"], "headers": encoded_pairs(sent[0]["headers"])},
            *({"body": each["body"].encode()} for each in sent),
        ],
        is_broken="aborted" in told,
    )


class Answer:
    """What came back, as far as it came."""

    def __init__(self, sent: list[ASGIMessage], *, is_broken: bool) -> None:
        start, *bodies = sent
        self.status: int = start["status"]
        pairs = [(name.decode(), value.decode()) for name, value in start["headers"]]
        self.headers: Mapping[str, str] = dict(pairs)
        self.body = b"".join(message["body"] for message in bodies).decode()
        self.ends = "broken" if is_broken else "cleanly"


async def exchange(
    app: Actions, request: Request, known: dict[str, str], meanwhile: Callable[[], None] | None
) -> Answer:
    headers = {"host": "conformance.example", **request.headers}
    body = "".join(request.text or [])
    if "json" in request.model_fields_set or request.json_ is not None:
        headers.setdefault("content-type", "application/json")
        body = json.dumps(request.json_)
    path, _, query = filled(request.path, known).partition("?")
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": path.replace("%20", " "),
        "query_string": query.encode(),
        "root_path": "",
        "server": ("192.0.2.1", 80),
        "client": ("192.0.2.2", 50_000),
        "headers": [(name.encode(), filled(v, known).encode()) for name, v in headers.items()],
    }
    received: list[ASGIMessage] = [{"type": "http.request", "body": body.encode()}]
    return await called(app, scope, received, meanwhile)


async def over_socket(app: Actions, request: Request, known: dict[str, str]) -> Answer:
    """Send a request over a socket of its own, with the caller's token in the handshake."""
    headers = {name: filled(value, known) for name, value in request.headers.items()}
    token = headers.pop("authorization", None)
    body = "".join(request.text or [])
    if "json" in request.model_fields_set or request.json_ is not None:
        body = json.dumps(request.json_)
    head = {"id": 1, "method": request.method, "path": filled(request.path, known)}
    known_by = [("authorization", token)] if token else []
    async with socket_to(app, known_by, host="conformance.example", server=None) as hand:
        hand.say({**head, "headers": {"accept": "*/*", **headers}}, body.encode() if body else None)
        return await answer_on(hand, 1)


def encoded_pairs(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers.items()]


async def called(
    app: Actions,
    scope: Scope,
    received: list[ASGIMessage],
    meanwhile: Callable[[], None] | None,
) -> Answer:
    sent: list[ASGIMessage] = []

    async def receive() -> ASGIMessage:
        if not received:
            await asyncio.Event().wait()  # the client stays until the answer has ended
        return received.pop()

    async def send(message: ASGIMessage) -> None:
        sent.append(message)
        if meanwhile is not None and message["type"] == "http.response.body":
            meanwhile()

    try:
        await app(scope, receive, send)
    except BrokenOff:
        return Answer(sent, is_broken=True)
    return Answer(sent, is_broken=False)


KINDS = {
    "any": r"(?s:.*)",
    "string": r'[^"]*',
    "int": r"\d+",
    "time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00",
}
PLACEHOLDER = re.compile(r"\{(\w+)\}")
ERROR = {"retryable": False, "fieldErrors": None, "data": None, "runId": None, "errorId": None}


def filled(text: str, known: Mapping[str, str]) -> str:
    return PLACEHOLDER.sub(lambda match: known[match[1]], text)


def check(answer: Answer, expected: Response, known: dict[str, str]) -> None:
    assert (answer.status, answer.ends) == (expected.status, expected.ends), answer.body
    for name, value in expected.headers.items():
        compare(answer.headers.get(name), value, known)
    if expected.error is not None:
        whole = {"message": "{any}", "statusCode": expected.status, **ERROR, **expected.error}
        compare(from_json(answer.body), {"error": whole}, known)
    elif expected.json_ is not None:
        compare(from_json(answer.body), expected.json_, known)
    else:
        compare(answer.body, "".join(expected.text or []), known)


def compare(found: object, expected: object, known: dict[str, str]) -> None:
    """Assert that ``found`` is what is expected; a name met for the first time is learnt."""
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            compare(found[key], value, known)
    elif isinstance(expected, list) and isinstance(found, list):
        assert len(found) == len(expected), found
        for one, other in zip(found, expected, strict=True):
            compare(one, other, known)
    elif expected == "{int}":
        assert isinstance(found, int)
    elif isinstance(expected, str) and expected != "{any}":
        match = re.fullmatch(pattern_of(expected, known), str(found))
        assert match is not None, f"{found!r} is not {expected!r}"
        known.update(match.groupdict())
    else:
        assert expected in ("{any}", found)


def pattern_of(expected: str, known: Mapping[str, str]) -> str:
    pattern, place, met = "", 0, set[str]()
    for match in PLACEHOLDER.finditer(expected):
        name, literal = match[1], expected[place : match.start()]
        pattern += re.escape(literal)
        if name in KINDS:
            pattern += KINDS[name]
        elif name in known:
            pattern += re.escape(known[name])
        else:
            pattern += f"(?P={name})" if name in met else f"(?P<{name}>[\\w-]+)"
            met.add(name)
        place = match.end()
    return pattern + re.escape(expected[place:])
