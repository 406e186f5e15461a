"""Threats 18 and 24: what an error says of the server, and what is written down of a request."""

import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import pytest
from pydantic import AfterValidator
from pydantic_core import from_json
from starlette.requests import HTTPConnection

from tests.support.calls import JSON, Call, Fields, get, post, send, stream
from tests.support.wire import Answer
from tests.support.world import (
    ALICE,
    NDJSON,
    PAGE,
    SSE,
    TEXT,
    WHOLE,
    begun,
    ended,
    identify,
    opened,
    wait_for_end,
    world,
)
from yieldwire import Actions, Caller, Context
from yieldwire.asgi.exchange import BrokenOff
from yieldwire.errors import StoreError, UsageError
from yieldwire.log.events import Block
from yieldwire.log.run import RunRecord
from yieldwire.stores.memory import MemoryStore
from yieldwire.stores.sqlite import SQLiteStore

SECRET: Final = "canary-9f8e7d"
FAULT: Final = f'File "/srv/app.py": SELECT {SECRET}'
INSIDE: Final = re.compile(r"Traceback|/srv|/work|site-packages|\.py\b|SELECT|canary|0x[0-9a-f]{6}")
"""What no caller can be told."""

FAULTS: Final = {
    "an error of Python's": RuntimeError(FAULT),
    "an error of the store's": StoreError(FAULT),
    "an error of the developer's": UsageError(FAULT),
    "a lookup": KeyError(FAULT),
    "a file": FileNotFoundError(2, FAULT, "/srv/app.py"),
}
each_fault = pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
FORMATS: Final = {"SSE": SSE, "NDJSON": NDJSON, "JSON": WHOLE, "page": PAGE}


def assert_masked(answer: Answer, caplog: pytest.LogCaptureFixture) -> None:
    """Hold that an answer names an error id and nothing else, and that the log has both."""
    assert answer.status in {500, 503}
    assert INSIDE.search(answer.body.decode()) is None
    assert INSIDE.search(str(answer.headers)) is None
    assert SECRET in caplog.text
    if answer.status == 500:
        error_id = re.search(rb"\b[0-9a-f]{16}\b", answer.body)
        assert error_id is not None
        assert error_id[0].decode() in caplog.text


# 18: whatever raises, anywhere.


@each_fault
@pytest.mark.parametrize("accept", FORMATS.values(), ids=list(FORMATS))
async def test_an_identify_that_fails_says_nothing(
    fault: Exception, accept: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    def identify(request: HTTPConnection) -> str:
        raise fault

    async with opened(world(identify=identify)) as site:
        answer = await send(site, post("/say", {}, [accept]))

    assert_masked(answer, caplog)


@each_fault
async def test_a_guard_that_fails_says_nothing(
    fault: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async def check(ctx: Context) -> None:
        raise fault

    async with opened(world(guards=[check])) as site:
        answer = await send(site, post("/say", {}))

    assert_masked(answer, caplog)


@each_fault
async def test_an_access_that_fails_says_nothing_and_allows_nothing(
    fault: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    def access(caller: Caller, run: RunRecord, verb: str) -> bool:
        raise fault

    async with opened(world(access=access)) as site:
        run_id = await ended(site)
        answers = [await send(site, get(f"/runs/{run_id}{tail}")) for tail in ("", "/events")]

    for answer in answers:
        assert_masked(answer, caplog)


@each_fault
async def test_a_store_that_fails_says_nothing(
    fault: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(MemoryStore):
        async def get(self, run_id: str, /) -> RunRecord:
            raise fault

    async with opened(world(store=Broken())) as site:
        answer = await send(site, get("/runs/r123"))

    assert_masked(answer, caplog)
    if isinstance(fault, StoreError):
        assert (answer.status, answer.json()["error"]["retryable"]) == (503, True)
        assert "retry-after" in answer.headers


@pytest.mark.parametrize("accept", FORMATS.values(), ids=list(FORMATS))
@pytest.mark.parametrize("action", ["fail", "fail_late"])
async def test_an_action_that_fails_says_nothing(
    site: Actions, action: str, accept: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    answer = await send(site, post(f"/{action}", {"canary": SECRET}, [*ALICE, accept]))

    run_id = answer.headers["run-id"]
    await wait_for_end(site, run_id)
    told = [
        answer,
        *[
            await send(site, get(f"/runs/{run_id}{tail}", ALICE))
            for tail in ("", "?after=0", "/events")
        ],
        await send(site, get(f"/runs/{run_id}", [*ALICE, PAGE])),
    ]
    for each in told:
        assert INSIDE.search(each.body.decode()) is None
    assert b"INTERNAL_ERROR" in told[1].body
    error_id = told[1].json()["error"]["errorId"]
    assert error_id in caplog.text


@each_fault
@pytest.mark.parametrize("place", ["before", "behind"])
async def test_an_around_that_fails_says_nothing(
    fault: Exception, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def wrap(ctx: Context) -> AsyncGenerator[None, None]:
        if place == "before":
            raise fault
        yield
        raise fault

    async with opened(world(middleware=[wrap])) as site:
        answer = await send(site, post("/say", {}, [WHOLE]))

    assert_masked(answer, caplog)


async def test_a_chunk_that_cannot_be_encoded_says_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    actions = world()

    @actions.action
    async def give() -> AsyncIterator[object]:
        yield {SECRET: object()}

    async with opened(actions) as site:
        answer = await send(site, post("/give", {}, [WHOLE]))

    assert answer.status == 500
    assert INSIDE.search(answer.body.decode()) is None


async def test_plain_text_says_nothing_and_breaks_off(site: Actions) -> None:
    async with stream(site, post("/fail_late", {"canary": SECRET}, [*ALICE, TEXT])) as response:
        body = await response.rest()

        assert body == b"so far"
        assert response.error is not None


@pytest.mark.parametrize("accept", [SSE, NDJSON, TEXT])
async def test_a_log_that_breaks_under_a_reader_ends_the_stream_before_its_end(
    accept: tuple[str, str], tmp_path: Path
) -> None:
    class Breaking(SQLiteStore):
        is_broken = False

        async def read(self, run_id: str, after: int, **options: Any) -> Sequence[Block]:  # noqa: ANN401
            page = await super().read(run_id, after, **options)
            if self.is_broken:  # also while a reader waited
                raise StoreError(FAULT)
            return page

    path = tmp_path / "runs.db"
    store = Breaking(path)
    # The run is executed by another process: here it is read from the store.
    async with opened(world(store=SQLiteStore(path))) as site, opened(world(store=store)) as other:
        run_id = await begun(site)
        async with stream(other, get(f"/runs/{run_id}/events", [*ALICE, accept])) as response:
            body = await response.read()
            store.is_broken = True
            await site.app.cancel(run_id)
            body += await response.rest()

    assert INSIDE.search(body.decode()) is None
    assert b"cancelled" not in body
    assert isinstance(response.error, BrokenOff if accept == TEXT else type(None))


REFUSALS: Final = {
    "no such action": post("/nothing"),
    "no such run": get("/runs/r0"),
    "no such page": get("/a/b/c"),
    "no such method": Call(method="PUT", target="/say"),
    "no such format": get("/runs", [("accept", SECRET)]),
    "no JSON": Call(method="POST", target="/say", headers=[JSON], body=[SECRET.encode()]),
    "no such field": post("/say", {"text": {"secret": SECRET}}),
    "no number": post("/add", {"a": SECRET, "b": SECRET}),
    "no cursor": post("/say", {}, [("last-event-id", SECRET)]),
    "no limit": get(f"/runs?limit={SECRET}", ALICE),
    "no status": get(f"/runs?status={SECRET}", ALICE),
    "no key": post("/say", {}, [("idempotency-key", SECRET)]),
    "no host": get("/manifest.json", host=SECRET),
    "no origin": post("/say", {}, [("origin", SECRET)]),
    "no multipart": Call(
        method="POST",
        target="/take",
        headers=[("content-type", f"multipart/form-data; boundary={SECRET}")],
        body=[b"x"],
    ),
}


@pytest.mark.parametrize("why", REFUSALS)
@pytest.mark.parametrize("accept", [None, PAGE], ids=["program", "browser"])
async def test_a_refusal_does_not_repeat_what_was_sent(
    site: Actions, why: str, accept: tuple[str, str] | None
) -> None:
    call = REFUSALS[why]
    extra = [] if accept is None or why == "no such format" else [accept]

    answer = await send(
        site,
        Call(
            method=call.method,
            target=call.target,
            headers=[*call.headers, *extra],
            body=call.body,
            host=call.host,
        ),
    )

    assert answer.status in range(400, 500) or why == "no such format"
    assert INSIDE.search(answer.body.decode()) is None


async def test_what_a_validator_is_given_is_not_repeated() -> None:
    def fits(value: str) -> str:
        if value != "right":
            raise ValueError("say right")
        return value

    actions = world()

    @actions.action
    async def check(word: Annotated[str, AfterValidator(fits)]) -> str:
        return word

    async with opened(actions) as site:
        answer = await send(site, post("/check", {"word": SECRET}))

    assert answer.json()["error"]["fieldErrors"] == {"word": ["Value error, say right"]}


# 24: what is written down.


CREDENTIALS: Final[Fields] = (
    ("cookie", f"session={SECRET}; theme=dark"),
    ("x-api-key", SECRET),
    ("x-auth-user", SECRET),
    ("x-session-id", SECRET),
    ("x-amz-security-token", SECRET),
    ("x-hub-signature", SECRET),
    ("x-forwarded-password", SECRET),
    ("proxy-authorization", SECRET),
    ("idempotency-key", f"{SECRET}-with-enough-characters"),
    ("sec-fetch-site", "same-origin"),
)


async def known_by_token(request: HTTPConnection) -> str | None:
    return await identify(request) and "somebody"


async def test_no_secret_of_a_request_is_logged_or_described(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    async with opened(world(identify=known_by_token)) as site:
        calls = [
            post("/say", {"text": SECRET}, CREDENTIALS),
            post("/say", {"text": SECRET}, [*CREDENTIALS, WHOLE]),
            post("/say", {"text": [SECRET]}, CREDENTIALS),
            post("/add", {"a": SECRET}, CREDENTIALS),
            post("/echo", {"value": SECRET}, [*CREDENTIALS, ("prefer", "respond-async")]),
            get(f"/tick?times={SECRET}", CREDENTIALS),
            get(f"/runs?label={SECRET}", CREDENTIALS),
            get(f"/runs/{SECRET}?after={SECRET}", CREDENTIALS),
            post(f"/{SECRET}", {}, CREDENTIALS),
            post("/fail", {"code": "REFUSED"}, CREDENTIALS),
            post("/fail", {}, CREDENTIALS),
            Call(
                method="POST",
                target="/take",
                headers=[("content-type", "multipart/form-data; boundary=B"), *CREDENTIALS[:1],
                         ("sec-fetch-site", "same-origin")],
                body=[
                    b'--B\r\nContent-Disposition: form-data; name="file"; filename="%b"\r\n\r\n'
                    b"%b\r\n--B--\r\n" % (SECRET.encode(), SECRET.encode())
                ],
            ),
            Call(method="POST", target="/say", headers=CREDENTIALS, body=[SECRET.encode()]),
        ]  # fmt: skip

        statuses = [(await send(site, call)).status for call in calls]
        described = [
            (await send(site, get(target, CREDENTIALS))).body
            for target in ("/openapi.json", "/manifest.json", "/runs")
        ]

    assert min(statuses) == 200
    assert SECRET not in caplog.text
    assert not any(SECRET in str(vars(record)) for record in caplog.records)
    assert not any(SECRET.encode() in body for body in described)
    assert "request failed" not in caplog.text


async def test_a_run_keeps_no_credentials_of_the_request_that_began_it() -> None:
    async with opened(world(identify=known_by_token)) as site:
        headers = [*CREDENTIALS, ("user-agent", "a browser")]
        answer = await send(site, post("/say", {}, [*headers, WHOLE]))

        run = await site.app.store.get(answer.headers["run-id"])

    assert SECRET.encode() not in run.context
    assert from_json(run.context)["request"]["headers"]["user-agent"] == "a browser"


async def test_an_errors_text_reaches_the_log_only_with_its_id(
    site: Actions, caplog: pytest.LogCaptureFixture
) -> None:
    await send(site, post("/fail", {}, [*ALICE, WHOLE]))

    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert re.fullmatch(r"run failed: fail, error id [0-9a-f]{16}", record.getMessage())
