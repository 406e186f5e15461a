"""A dialect that nobody speaks: its own path, envelope, bytes and errors, and nothing else edited.

A parrot's client sends ``{"say": <action>, "to": <input>, "egg": <key>}`` to ``/parrot`` and reads
a line for each event: ``+`` and a chunk, ``.`` and the status. A refusal is ``!`` and a code.
"""

from collections.abc import AsyncIterator
from typing import Any, ClassVar, Final

import pytest

from tests.support.calls import Call, Fields, get, send
from tests.support.world import ALICE, BOB, opened, world
from yieldwire import Actions
from yieldwire.actions.context import RequestFacts
from yieldwire.asgi.bodies import read_whole
from yieldwire.asgi.exchange import Exchange
from yieldwire.asgi.jsontext import parse_json
from yieldwire.asgi.negotiation import Format
from yieldwire.asgi.site import Site
from yieldwire.asgi.starting import stream_run
from yieldwire.errors import CallError, ParseError
from yieldwire.log.events import Block, EventType
from yieldwire.log.run import Status, advance
from yieldwire.runs.access import Caller
from yieldwire.runs.start import StartRequest


class ParrotEncoder:
    """A line for each event."""

    media_type: ClassVar[str] = "text/x-parrot"
    carries_end: ClassVar[bool] = True

    def opening(self, run_id: str, after: int, state: bytes, /) -> bytes:
        return b""

    def encode(self, block: Block, /) -> bytes:
        return b"".join(
            b"+%b\n" % event.data
            if event.type is EventType.CHUNK
            else b".%b\n" % advance(Status.RUNNING, event.type).encode()
            for event in block.events()
        )

    def keepalive(self) -> bytes:
        return b"\n"

    def reset(self, run_id: str, first_seq: int, /) -> bytes:
        return b""

    def farewell(self, retry_ms: int, /) -> bytes:
        return b""


PARROT: Final = Format(media_type="text/x-parrot", encoder=ParrotEncoder)


def attach(actions: Actions) -> None:
    """Let parrots call."""
    actions.site.formats.add(PARROT)
    actions.site.routes = {("parrot",): {"POST": answer}, **actions.site.routes}


async def answer(site: Site, exchange: Exchange, caller: Caller) -> None:
    try:
        body = await read_whole(
            exchange.headers, exchange.receive, site.request_limits, site.app.timing.body
        )
        said: Any = parse_json(body, site.request_limits.depth)
        if not isinstance(said, dict) or "say" not in said:
            raise ParseError("A parrot says something.")
        request = StartRequest(
            action=site.app.registry.action_named(said["say"]),
            caller=caller,
            facts=RequestFacts(method="PARROT", client=caller.address),
            data=said.get("to", {}),
            key=said.get("egg"),
        )
        with site.slot(caller):
            run = await site.app.begin(request)
            await stream_run(site, exchange, caller, run, None, wanted=PARROT)
    except CallError as exc:
        if exchange.has_head:
            raise
        await exchange.answer(exc.status, b"!%b\n" % exc.code.encode(), media_type="text/x-parrot")


def parrot(body: bytes, headers: Fields = ALICE, **other: Any) -> Call:  # noqa: ANN401 - a Call's own
    return Call(method="POST", target="/parrot", headers=headers, body=[body], **other)


@pytest.fixture
async def site() -> AsyncIterator[Actions]:
    actions = world()
    attach(actions)
    async with opened(actions):
        yield actions


async def test_a_dialect_starts_a_run_from_its_envelope_and_streams_its_bytes(
    site: Actions,
) -> None:
    heard = await send(site, parrot(b'{"say":"say","to":{"text":"ahoy","times":2}}'))

    chunk = b'+{"type":"text","text":"ahoy"}\n'
    assert (heard.status, heard.body) == (200, chunk + chunk + b".completed\n")
    assert heard.headers["content-type"] == "text/x-parrot"


async def test_a_run_of_a_dialect_is_a_run_like_any_other(site: Actions) -> None:
    heard = await send(site, parrot(b'{"say":"say","to":{"text":"ahoy"}}'))
    run_id = heard.headers["run-id"]

    refused = await send(site, get(f"/runs/{run_id}", BOB))
    replayed = await send(
        site, get(f"/runs/{run_id}/events", [*ALICE, ("accept", "text/x-parrot")])
    )

    assert refused.status == 403
    assert replayed.body == heard.body


async def test_a_key_of_a_dialect_starts_one_run(site: Actions) -> None:
    call = parrot(b'{"say":"say","to":{"text":"ahoy"},"egg":"one"}')

    first, second = [await send(site, call) for _ in range(2)]

    assert first.headers["run-id"] == second.headers["run-id"]


@pytest.mark.parametrize(
    ("body", "status", "line"),
    [
        (b'{"say":"say","to":{"times":"many"}}', 422, b"!VALIDATION_ERROR\n"),
        (b'{"say":"nothing of ours"}', 404, b"!NOT_FOUND\n"),
        (b'"squawk"', 400, b"!PARSE_ERROR\n"),
        (b"{", 400, b"!PARSE_ERROR\n"),
    ],
)
async def test_a_refusal_is_told_in_the_dialect(
    site: Actions, body: bytes, status: int, line: bytes
) -> None:
    heard = await send(site, parrot(body))

    assert (heard.status, heard.body) == (status, line)


async def test_the_origin_rules_hold_for_a_dialect(site: Actions) -> None:
    headers = [*ALICE, ("origin", "https://evil.example")]

    heard = await send(site, parrot(b'{"say":"say"}', headers))

    assert heard.status == 403


async def test_the_limits_of_a_body_hold_for_a_dialect(site: Actions) -> None:
    body = b'{"say":"%b"}' % (site.site.request_limits.json_bytes * b"x")

    heard = await send(site, parrot(body))

    assert (heard.status, heard.body) == (413, b"!PAYLOAD_TOO_LARGE\n")


async def test_the_format_of_a_dialect_answers_the_native_start_too(site: Actions) -> None:
    headers = [*ALICE, ("content-type", "application/json"), ("accept", "text/x-parrot")]
    call = Call(method="POST", target="/say", headers=headers, body=[b'{"text":"ahoy"}'])

    heard = await send(site, call)

    assert heard.body == b'+{"type":"text","text":"ahoy"}\n.completed\n'
