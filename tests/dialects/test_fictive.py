"""A dialect that nobody speaks: its own path, envelope, bytes and errors, and nothing else edited.

A parrot's client sends ``{"say": <action>, "to": <input>, "egg": <key>}`` and reads a line for each
event: ``+`` and a chunk, ``.`` and how the run ended. A refusal is ``!`` and a code. To hear the
rest it sends ``{"again": <run>, "after": <lines>}``.
"""

from collections.abc import AsyncIterator, Iterable
from typing import Any, ClassVar

import pytest

from tests.support.calls import Call, Fields, get, post, send
from tests.support.world import ALICE, BOB, WHOLE, opened, world
from yieldwire import Actions
from yieldwire.dialects import Dialect, DialectEncoder, ForeignCall, Head, Reply
from yieldwire.errors import ErrorObject, Json, ParseError
from yieldwire.log.events import Event


class ParrotEncoder(DialectEncoder):
    media_type: ClassVar[str] = "text/x-parrot"

    def chunk(self, event: Event) -> Iterable[bytes]:
        return [b"+%b\n" % event.data]

    def done(self, event: Event) -> Iterable[bytes]:
        return [b".done\n"]

    def error(self, error: ErrorObject) -> Iterable[bytes]:
        return [b".%b\n" % error.code.encode()]

    def keepalive(self) -> bytes:
        return b"\n"


class Parrot(Dialect):
    def takes(self, actions: Actions, head: Head) -> bool:
        return head.path == "parrot"

    async def answer(self, call: ForeignCall) -> None:
        said = await call.json()
        if isinstance(said, dict) and "again" in said:
            run = await call.run(said["again"])
            await call.stream(run, ParrotEncoder(), skip=said["after"])
            return
        if not isinstance(said, dict) or "say" not in said:
            raise ParseError("A parrot says something.")

        async def read() -> Json:
            return said.get("to", {})

        run = await call.start(call.action(said["say"]), read, key=said.get("egg"))
        await call.stream(run, ParrotEncoder())

    def refusal(self, head: Head, error: ErrorObject) -> Reply:
        return Reply(
            status=error.status, body=b"!%b\n" % error.code.encode(), media_type="text/x-parrot"
        )


def parrot(body: bytes, headers: Fields = ALICE, **other: Any) -> Call:  # noqa: ANN401 - a request's own
    return Call(method="POST", target="/parrot", headers=headers, body=[body], **other)


@pytest.fixture
async def site() -> AsyncIterator[Actions]:
    actions = world()
    actions.mount(Parrot())
    async with opened(actions):
        yield actions


async def test_a_dialect_starts_a_run_from_its_envelope_and_streams_its_bytes(
    site: Actions,
) -> None:
    heard = await send(site, parrot(b'{"say":"say","to":{"text":"ahoy","times":2}}'))

    chunk = b'+{"type":"text","text":"ahoy"}\n'
    assert (heard.status, heard.body) == (200, chunk + chunk + b".done\n")
    assert heard.headers["content-type"] == "text/x-parrot"


async def test_a_run_of_a_dialect_is_a_run_like_any_other(site: Actions) -> None:
    heard = await send(site, parrot(b'{"say":"say","to":{"text":"ahoy"}}'))
    run_id = heard.headers["run-id"]

    refused = await send(site, get(f"/runs/{run_id}", BOB))
    seen = await send(site, get(f"/runs/{run_id}", ALICE))

    assert refused.status == 403
    assert seen.json()["text"] == "ahoy"


async def test_native_clients_are_answered_at_the_same_urls(site: Actions) -> None:
    heard = await send(site, post("/say", {"text": "ahoy"}, [*ALICE, WHOLE]))

    assert heard.json()["status"] == "completed"


async def test_a_key_of_a_dialect_starts_one_run(site: Actions) -> None:
    call = parrot(b'{"say":"say","to":{"text":"ahoy"},"egg":"one"}')

    first, second = [await send(site, call) for _ in range(2)]

    assert first.headers["run-id"] == second.headers["run-id"]


@pytest.mark.parametrize(
    ("body", "status", "line"),
    [
        (b'{"say":"say","to":{"times":"many"}}', 422, b"!VALIDATION_ERROR\n"),
        (b'{"say":"nothing of ours"}', 404, b"!NOT_FOUND\n"),
        (b'{"say":"fail","to":{"code":"OUT_OF_CREDIT"}}', 402, b"!OUT_OF_CREDIT\n"),
        (b'{"say":"fail"}', 500, b"!INTERNAL_ERROR\n"),
        (b'"squawk"', 400, b"!PARSE_ERROR\n"),
        (b"{", 400, b"!PARSE_ERROR\n"),
    ],
)
async def test_a_refusal_is_told_in_the_dialect(
    site: Actions, body: bytes, status: int, line: bytes
) -> None:
    heard = await send(site, parrot(body))

    assert (heard.status, heard.body) == (status, line)


async def test_what_is_refused_before_the_dialect_is_asked_is_told_in_the_dialect_too(
    site: Actions,
) -> None:
    headers = [*ALICE, ("origin", "https://evil.example")]

    heard = await send(site, parrot(b'{"say":"say"}', headers))

    assert (heard.status, heard.body) == (403, b"!FORBIDDEN\n")


async def test_the_limits_of_a_body_hold_for_a_dialect(site: Actions) -> None:
    body = b'{"say":"%b"}' % (site.site.request_limits.json_bytes * b"x")

    heard = await send(site, parrot(body))

    assert (heard.status, heard.body) == (413, b"!PAYLOAD_TOO_LARGE\n")


async def test_an_error_after_the_first_chunk_is_the_last_frame(site: Actions) -> None:
    heard = await send(site, parrot(b'{"say":"fail_late"}'))

    assert heard.status == 200
    assert heard.body.endswith(b'far"}\n.INTERNAL_ERROR\n')


async def test_a_method_that_the_client_does_not_use_is_refused(site: Actions) -> None:
    heard = await send(site, get("/parrot", ALICE))

    assert (heard.status, heard.body) == (405, b"!METHOD_NOT_ALLOWED\n")
