"""The bytes of Durable Streams, as its published clients read them."""

from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
from pydantic_core import from_json, to_json
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.dialects.test_contract import JSON, Harness
from tests.support.calls import Call, Fields, get, send
from tests.support.wire import Answer
from tests.support.world import ALICE, BOB, opened, wait_for_end, world
from yieldwire import ActionError, Actions, Context, Progress, Result, Retry, Text
from yieldwire.dialects import DialectEncoder, DurableStreams
from yieldwire.dialects.durablestream import DurableEncoder
from yieldwire.errors import Json, UsageError
from yieldwire.log.chunks import text_of
from yieldwire.log.run import RunRecord
from yieldwire.testing import DialectContract, DialectHarness, ForeignAnswer, ForeignRequest, Heard
from yieldwire.testing.dialect.harness import RUN

LATE: Final = "r" + 20 * "N"


class Following:
    """A client's two requests as one: it creates a stream, and follows it from its start."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        told: list[Message] = []

        async def keep(message: Message) -> None:
            told.append(message)

        if scope.get("method") != "PUT":
            await self._app(scope, receive, send)
            return
        await self._app(scope, receive, keep)
        if told[0]["status"] < 400:
            follow = {**scope, "method": "GET", "query_string": b"offset=-1&live=sse"}
            await self._app(follow, receive, send)
            return
        for message in told:
            await send(message)


class DurableHarness(Harness):
    stops_by_leaving = False

    def serve(self, actions: Actions) -> ASGIApp:
        return Following(DurableStreams(actions))

    def encoder(self) -> DialectEncoder:
        return DurableEncoder(RunRecord(id=RUN, action="say", quota_key="owner:ada"))

    def start(self, action: str, value: Json) -> ForeignRequest:
        path = f"/{action}/mine"
        return ForeignRequest(method="PUT", path=path, headers=JSON, body=to_json(value))

    def resume(self, run_id: str, received: bytes) -> ForeignRequest | None:
        offset = events_of(received)[1].get("streamNextOffset", "-1")
        return ForeignRequest(method="GET", path=f"/runs/{run_id}?offset={offset}&live=sse")

    def read(self, answer: ForeignAnswer) -> Heard:
        if answer.status >= 400:
            try:
                return Heard(end="error", code=from_json(answer.body)["error"]["code"])
            except ValueError:
                return Heard(end="error")
        messages, control = events_of(answer.body)
        text = "".join(text_of(to_json(each)) or "" for each in messages)
        if control.get("streamClosed"):
            return Heard(text=text, end="done")
        # The client continues after a clean end, and is told the error there: see below.
        return Heard(text=text, end="error" if answer.is_whole else None)


class TestDurableStreams(DialectContract):
    @pytest.fixture
    def harness(self) -> DialectHarness:
        return DurableHarness()


def events_of(body: bytes) -> tuple[list[Json], dict[str, Json]]:
    """Return the messages that a control event followed, and the last of these."""
    messages, control, data = list[Json](), dict[str, Json](), list[Json]()
    for frame in body.decode("utf-8", "ignore").split("\n\n")[:-1]:
        name, _, line = frame.partition("\n")
        value: Any = from_json(line.removeprefix("data:")) if line else None
        if name == "event: data":
            data += value
        elif name == "event: control":
            control = value
            messages += data
            data = []
    return messages, control


async def count(upto: int = 2) -> AsyncIterator[int | Result[str]]:
    for number in range(1, upto + 1):
        yield number
    yield Result("counted")


async def wear_out(code: str = "WORN") -> AsyncIterator[Text]:
    yield Text("so far")
    if code == "BUG":
        raise RuntimeError("SELECT secret")
    raise ActionError(code, "It broke.", status=409)


async def relay(ctx: Context) -> AsyncIterator[int]:
    async for number in ctx.inbox(int):
        yield number


async def limp(ctx: Context) -> AsyncIterator[Progress]:
    yield Progress(ctx.attempt, total=2)
    if ctx.attempt == 1:
        raise ConnectionError


async def ticks(upto: int = 2) -> AsyncIterator[int]:
    for number in range(upto):
        yield number


def durable_world() -> Actions:
    actions = world()
    actions.action(count)
    actions.action(wear_out)
    actions.action(inbox=int)(relay)
    actions.action(retries=Retry(1, backoff=0, on=[ConnectionError]))(limp)
    actions.feed(shared=True)(ticks)
    return actions


@pytest.fixture
async def actions() -> AsyncIterator[Actions]:
    async with opened(durable_world()) as actions:
        yield actions


@pytest.fixture
def site(actions: Actions) -> DurableStreams:
    return DurableStreams(actions, long_poll=0.02)


async def ask(site: Any, method: str, target: str, headers: Fields = ALICE) -> Answer:  # noqa: ANN401 - an ASGI application
    return await send(site, Call(method=method, target=target, headers=headers))


async def put(site: Any, target: str, value: Json, headers: Fields = ALICE) -> Answer:  # noqa: ANN401 - an ASGI application
    fields: Fields = (*headers, *JSON.items())
    return await send(
        site, Call(method="PUT", target=target, headers=fields, body=[to_json(value)])
    )


async def ended(actions: Actions, answer: Answer) -> str:
    """Wait until the run of an answer has ended, and return its id."""
    run_id = answer.headers["run-id"]
    await wait_for_end(actions, run_id)
    return run_id


async def test_put_starts_a_run_once_and_get_reads_it(
    site: DurableStreams, actions: Actions
) -> None:
    first = await put(site, "/count/a%20b", {"upto": 2})
    again = await put(site, "/count/a%20b", {"upto": 2})
    other = await put(site, "/count/a%20b", {"upto": 3})
    await ended(actions, first)

    read = await ask(site, "GET", "/count/a%20b")

    assert (first.status, again.status, other.status) == (201, 200, 409)
    assert first.headers["location"] == "http://127.0.0.1:8000/count/a%20b"
    assert again.headers["run-id"] == first.headers["run-id"]
    assert read.json() == [1, 2, {"type": "result", "result": "counted"}]
    assert (read.headers["stream-closed"], read.headers["stream-up-to-date"]) == ("true", "true")


async def test_a_stream_continues_at_any_offset(site: DurableStreams, actions: Actions) -> None:
    run_id = await ended(actions, await put(site, "/count/a", {"upto": 3}))
    whole = await ask(site, "GET", f"/runs/{run_id}?offset=-1")

    rests = [await ask(site, "GET", f"/runs/{run_id}?offset={run_id}.{n:015d}") for n in range(5)]

    assert [rest.json() for rest in rests] == [whole.json()[n:] for n in range(5)]
    assert {rest.headers["stream-next-offset"] for rest in rests} == {f"{run_id}.{4:015d}"}


async def test_the_start_of_an_unfinished_stream_is_not_closed(site: DurableStreams) -> None:
    await put(site, "/relay/a", {})

    read, head = await ask(site, "GET", "/relay/a"), await ask(site, "HEAD", "/relay/a")

    assert (read.json(), read.headers["stream-up-to-date"]) == ([], "true")
    assert "stream-closed" not in read.headers
    assert "stream-closed" not in head.headers
    assert head.headers["stream-next-offset"] == read.headers["stream-next-offset"]
    assert (head.body, head.headers["cache-control"]) == (b"", "no-store, no-transform")


async def test_a_long_poll_waits_for_a_message(actions: Actions) -> None:
    site = DurableStreams(actions, long_poll=30.0)
    run_id = (await put(site, "/relay/a", {})).headers["run-id"]
    waiting = get(f"/relay/a?offset={run_id}.{0:015d}&live=long-poll", ALICE)

    await actions.app.tell(run_id, 7)
    read = await send(site, waiting)

    assert (read.status, read.json()) == (200, [7])
    assert read.headers["stream-cursor"].isdigit()


async def test_a_long_poll_without_a_message_has_no_content(site: DurableStreams) -> None:
    await put(site, "/relay/a", {})

    read = await ask(site, "GET", "/relay/a?offset=-1&live=long-poll&cursor=99999999")

    assert (read.status, read.body, read.headers["stream-up-to-date"]) == (204, b"", "true")
    assert int(read.headers["stream-cursor"]) > 99_999_999


async def test_a_long_poll_at_the_end_of_a_closed_stream_answers_at_once(actions: Actions) -> None:
    site = DurableStreams(actions, long_poll=3600.0)
    run_id = await ended(actions, await put(site, "/count/a", {}))

    read = await ask(site, "GET", f"/runs/{run_id}?offset=now&live=long-poll")

    assert (read.status, read.headers["stream-closed"]) == (204, "true")
    assert "stream-cursor" not in read.headers


async def test_events_at_the_end_of_a_closed_stream_say_so(
    site: DurableStreams, actions: Actions
) -> None:
    run_id = await ended(actions, await put(site, "/count/a", {}))

    read = await ask(site, "GET", f"/runs/{run_id}?offset=now&live=sse")

    end = {"streamNextOffset": f"{run_id}.{3:015d}", "streamClosed": True, "upToDate": True}
    assert events_of(read.body) == ([], end)
    assert read.headers["content-type"] == "text/event-stream"


@pytest.mark.parametrize(
    ("code", "told", "status"), [("WORN", "WORN", 409), ("BUG", "INTERNAL_ERROR", 422)]
)
@pytest.mark.parametrize("live", ["", "&live=long-poll", "&live=sse"])
async def test_a_run_that_failed_is_never_closed_and_its_error_is_told_at_its_end(
    site: DurableStreams, actions: Actions, code: str, told: str, status: int, live: str
) -> None:
    run_id = await ended(actions, await put(site, "/wear_out/a", {"code": code}))

    start = await ask(site, "GET", f"/runs/{run_id}?offset=-1{live}")
    end = await ask(site, "GET", f"/runs/{run_id}?offset={run_id}.{1:015d}{live}")
    now = await ask(site, "GET", f"/runs/{run_id}?offset=now{live}")
    head = await ask(site, "HEAD", f"/runs/{run_id}")

    assert b"so far" in start.body
    assert b"streamClosed" not in start.body
    assert not {"stream-closed", "stream-up-to-date"} & set(start.headers)
    assert (end.status, end.json()["error"]["code"]) == (status, told)
    assert (now.status, now.json()) == (status, end.json())
    assert (head.headers["stream-next-offset"], "stream-closed" in head.headers) == (
        f"{run_id}.{1:015d}",
        False,
    )


async def test_a_restart_that_takes_back_chunks_is_an_error(
    site: DurableStreams, actions: Actions
) -> None:
    run_id = await ended(actions, await put(site, "/limp/a", {}))

    start = await ask(site, "GET", f"/runs/{run_id}")
    rest = await ask(site, "GET", f"/runs/{run_id}?offset={start.headers['stream-next-offset']}")

    assert len(start.json()) == 1
    assert (rest.status, rest.json()["error"]["code"]) == (422, "INTERRUPTED")


async def test_a_feed_is_read_at_its_name(site: DurableStreams, actions: Actions) -> None:
    first = await ask(site, "GET", "/ticks?upto=3&offset=-1")
    run_id = await ended(actions, first)

    rest = await ask(site, "GET", f"/ticks?upto=3&offset={run_id}.{1:015d}&live=long-poll")
    head = await ask(site, "HEAD", "/ticks")

    assert rest.json() == [1, 2]
    assert rest.headers["stream-closed"] == "true"
    assert (head.status, head.headers["content-type"]) == (200, "application/json")


async def test_a_dialect_for_one_action_has_its_streams_at_their_names(actions: Actions) -> None:
    counting, ticking = DurableStreams(actions.count), DurableStreams(actions.ticks)

    created = await put(counting, "/a/b", {"upto": 1})
    await ended(actions, created)
    await ended(actions, await ask(ticking, "GET", "/"))

    assert created.status == 201
    assert (await ask(counting, "GET", "/a/b")).json()[0] == 1
    assert (await ask(ticking, "GET", "/?offset=-1")).status == 200


async def test_an_answer_that_is_known_is_not_sent_again(
    site: DurableStreams, actions: Actions
) -> None:
    run_id = (await put(site, "/relay/a", {})).headers["run-id"]
    open_ = await ask(site, "GET", "/relay/a")
    known: Fields = (*ALICE, ("if-none-match", open_.headers["etag"]))

    same = await ask(site, "GET", "/relay/a", known)
    await actions.app.tell(run_id, 7)
    await ask(DurableStreams(actions), "GET", "/relay/a?offset=-1&live=long-poll")
    other = await ask(site, "GET", "/relay/a", known)

    assert (same.status, same.body, same.headers["cache-control"]) == (
        304,
        b"",
        "private, no-cache",
    )
    assert (other.status, other.json()) == (200, [7])


async def test_delete_stops_the_run_and_forgets_it(site: DurableStreams) -> None:
    run_id = (await put(site, "/relay/a", {})).headers["run-id"]

    deleted = await ask(site, "DELETE", "/relay/a")
    gone = [await ask(site, method, "/relay/a") for method in ("GET", "HEAD", "DELETE")]
    again = await put(site, "/relay/a", {})

    assert (deleted.status, [each.status for each in gone]) == (204, [404, 404, 404])
    assert (again.status, again.headers["run-id"] == run_id) == (201, False)


async def test_the_name_of_an_anonymous_stream_cannot_be_guessed(site: DurableStreams) -> None:
    name = "anonymous-" + 12 * "r"

    guessed = await put(site, f"/relay/{name[:-1]}", {}, ())
    random = await put(site, f"/relay/{name}", {}, ())

    assert (guessed.status, guessed.json()["error"]["code"]) == (400, "PARSE_ERROR")
    assert (random.status, (await ask(site, "GET", f"/relay/{name}", ())).status) == (201, 200)


async def test_each_method_is_allowed_once(site: DurableStreams) -> None:
    heard = await ask(site, "OPTIONS", "/relay/a")

    assert heard.headers["allow"] == "GET, HEAD, PUT, POST, DELETE, OPTIONS"


@pytest.mark.parametrize(
    ("method", "target", "headers", "status"),
    [
        ("GET", "/runs/{run}", BOB, 403),
        ("DELETE", "/runs/{run}", BOB, 403),
        ("GET", "/relay/a", BOB, 404),
        ("GET", "/runs/{run}", (), 401),
        ("GET", "/none/a", ALICE, 404),
        ("GET", "/count", ALICE, 404),
        ("GET", "/relay/a?live=sse", ALICE, 400),
        ("GET", "/relay/a?offset=", ALICE, 400),
        ("GET", "/relay/a?offset=1,2", ALICE, 400),
        ("GET", "/relay/a?offset=-1&offset=-1", ALICE, 400),
        ("GET", f"/relay/a?offset={LATE}.{0:015d}", ALICE, 410),
        ("GET", "/relay/a?offset={run}.000000000000009", ALICE, 410),
        ("GET", "/ticks?offset={run}.000000000000000", ALICE, 410),
        ("DELETE", "/ticks", ALICE, 405),
        ("PUT", "/relay", ALICE, 405),
        ("PUT", "/ticks/mine", ALICE, 405),
        ("PUT", "/runs/{run}", ALICE, 405),
        ("PUT", "/relay/" + 100 * "a", ALICE, 400),
    ],
)
async def test_what_is_not_a_stream_of_the_callers_is_refused(
    site: DurableStreams, method: str, target: str, headers: Fields, status: int
) -> None:
    run_id = (await put(site, "/relay/a", {})).headers["run-id"]

    refused = await ask(site, method, target.format(run=run_id), headers)

    assert refused.status == status
    assert method == "HEAD" or refused.json()["error"]["statusCode"] == status


async def test_pages_of_other_origins_can_read_the_headers_if_they_are_allowed() -> None:
    actions = Actions(origins=["https://shop.example"])
    actions.feed(shared=True)(ticks)

    async with opened(actions):
        read = await ask(
            DurableStreams(actions), "GET", "/ticks", [("origin", "https://shop.example")]
        )

    assert "Stream-Next-Offset" in read.headers["access-control-expose-headers"]


def test_the_seconds_of_a_long_poll_are_more_than_none() -> None:
    with pytest.raises(UsageError, match="long_poll is seconds, not 0"):
        DurableStreams(long_poll=0)
