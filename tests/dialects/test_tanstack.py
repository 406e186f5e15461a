"""Frames of TanStack Start, byte for byte as its own server writes them."""

from typing import Any
from urllib.parse import quote

import pytest
from pydantic_core import to_json

from tests.support.calls import Call, Fields, get, post, send
from tests.support.world import ALICE, WHOLE, opened, world
from yieldwire.dialects import TanStackStart
from yieldwire.dialects.seroval import Writer
from yieldwire.dialects.tanstack import MAX_FRAME_BYTES, TanStackEncoder
from yieldwire.errors import ActionError
from yieldwire.log.events import Block, EventType

RUN = "rAAAAAAAAAAAAAAAAAAAA"


def framed(payload: bytes) -> bytes:
    return b"\0\0\0\0\0" + len(payload).to_bytes(4) + payload


def test_chunks_and_the_return_are_steps_of_stream_5_with_numbers_from_8() -> None:
    encoder = TanStackEncoder()
    block = Block.of_chunks(RUN, 1, [b"1", b'{"a":"<\\"","b":[null]}'])
    (end,) = Block.of_event(RUN, 3, EventType.DONE, b'{"result":{}}').events()

    frames = [frame for event in block.events() for frame in encoder.chunk(event)]

    assert [*frames, *encoder.done(end)] == [
        framed(b'{"t":32,"i":5,"f":{"t":0,"s":1}}'),
        framed(
            b'{"t":32,"i":5,"f":{"t":10,"i":8,"p":{"k":["a","b"],"v":[{"t":1,"s":"\\\\x3C\\\\\\""},'
            b'{"t":9,"i":9,"a":[{"t":2,"s":0}],"o":0}]},"o":0}}'
        ),
        framed(b'{"t":34,"i":5,"f":{"t":10,"i":10,"p":{"k":[],"v":[]},"o":0}}'),
    ]


def test_an_error_is_thrown_with_its_facts() -> None:
    error = ActionError("OUT", "No <more>.", status=402).error_object()

    (frame,) = TanStackEncoder().error(error)

    assert frame.startswith(b"\0\0\0\0\0")
    assert b'"f":{"t":13,"i":8,"s":0,"m":"No \\\\x3Cmore>.","p":{"k":["code",' in frame


def test_a_generator_without_a_result_returns_nothing() -> None:
    (end,) = Block.of_event(RUN, 1, EventType.DONE, b"{}").events()

    assert TanStackEncoder().done(end) == [framed(b'{"t":34,"i":5,"f":{"t":2,"s":1}}')]


def test_a_frame_that_the_client_would_refuse_is_not_made() -> None:
    (chunk,) = Block.of_chunks(RUN, 1, [b'"%b"' % (b"x" * MAX_FRAME_BYTES)]).events()

    with pytest.raises(ValueError, match="at most 16777216 bytes"):
        TanStackEncoder().chunk(chunk)


OURS: Fields = (*ALICE, ("x-tsr-serverfn", "true"))
SUM = {"t": 10, "i": 0, "p": {"k": ["result"], "v": [{"t": 0, "s": 3}]}, "o": 0}


def document(value: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {"t": Writer().write(value), "f": 127, "m": []}


def form(**fields: str) -> Call:
    parts = [
        f'--b\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    headers = [*OURS, ("content-type", "multipart/form-data; boundary=b")]
    body = "".join([*parts, "--b--\r\n"]).encode()
    return Call(method="POST", target="/_serverFn/add", headers=headers, body=[body])


PAYLOAD = document({"data": {"a": 1, "b": 2}, "context": {}})


@pytest.mark.parametrize(
    "call",
    [
        post("/_serverFn/add", PAYLOAD, OURS),
        get(f"/_serverFn/add?payload={quote(to_json(PAYLOAD).decode())}", OURS),
        form(a="1", b="2", __TSS_CONTEXT="{}"),
    ],
)
async def test_an_input_comes_as_a_payload_or_as_a_form(call: Call) -> None:
    actions = world()
    actions.mount(TanStackStart())
    async with opened(actions):
        answer = await send(actions, call)
        native = await send(actions, post("/add", {"a": 1, "b": 2}, [*ALICE, WHOLE]))

    assert (answer.json(), answer.headers["x-tss-serialized"]) == (SUM, "true")
    assert native.json()["result"] == 3


@pytest.mark.parametrize("value", [document([1]), document(None), {"t": 1}, [1]])
async def test_a_payload_without_data_is_refused(value: object) -> None:
    async with opened(world()) as actions:
        answer = await send(TanStackStart(actions), post("/add", value, OURS))

    assert answer.status == 400
    assert b"PARSE_ERROR" in answer.body


async def test_a_deep_input_is_read_and_one_that_is_too_deep_is_refused() -> None:
    statuses = list[int]()
    async with opened(world()) as actions:
        for depth in (28, 60):
            value: Any = 1
            for _ in range(depth):
                value = {"n": value}
            call = post("/echo", document({"data": {"value": value}}), OURS)
            statuses.append((await send(TanStackStart(actions), call)).status)

    assert statuses == [200, 400]
