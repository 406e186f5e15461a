"""Access that is revoked ends what is open, wherever it is, and nothing else."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import HTTPConnection

from tests.support.calls import Call, Fields, get, post, send, stream
from tests.support.wire import Answer
from tests.support.world import (
    ALICE,
    BOB,
    NDJSON,
    NOBODY,
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
from yieldwire import Actions, Caller, Identity, Text, Timing, Unauthorized
from yieldwire.asgi.exchange import BrokenOff
from yieldwire.asgi.signout import SignOuts, ask_again
from yieldwire.clock import SystemClock
from yieldwire.errors import NotFound, StoreError, UsageError
from yieldwire.executors.audience import Audience
from yieldwire.log.run import Status
from yieldwire.runs.reader import Reader
from yieldwire.runs.start import StartRequest
from yieldwire.stores import REVOCATIONS_KEPT, Revoked
from yieldwire.stores.memory import MemoryStore
from yieldwire.stores.sqlite import SQLiteStore
from yieldwire.testing import connect
from yieldwire.testing.clock import MovingClock

SOON = 30.0
STREAMS = [SSE, NDJSON, TEXT]


def code_of(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json()["error"]["code"]


@asynccontextmanager
async def two_sites(path: Path, **settings: Any) -> AsyncGenerator[list[Actions], None]:  # noqa: ANN401 - an application's
    """Open two applications over one file, as two processes have it."""
    async with AsyncExitStack() as stack:
        store = f"sqlite:///{path / 'runs.db'}"
        sites = [world(store=store, **settings) for _ in range(2)]
        yield [await stack.enter_async_context(opened(site)) for site in sites]


def waiting_calls(run_id: str, headers: Fields = ALICE) -> list[Call]:
    """Return the requests that wait for something which does not come."""
    resumed = [*headers, ("last-event-id", f"{run_id}.1")]
    return [
        post("/wait", {}, [*resumed, WHOLE]),
        get(f"/runs/{run_id}?after=1&wait=60", headers),
    ]


async def until_followed(site: Actions, run_id: str, readers: int = 1) -> None:
    """Return when that number of readers waits for a run."""
    async with asyncio.timeout(SOON):
        known = site.site.sign_outs
        while len([each for each in known.readers if each.run_id == run_id]) < readers:  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def status_of(site: Actions, run_id: str) -> Status:
    return (await site.app.store.get(run_id)).status


# What ends.


@pytest.mark.parametrize("accept", [SSE, NDJSON])
async def test_a_stream_of_whom_access_was_revoked_ends_unlike_a_run_and_is_to_be_resumed(
    site: Actions, accept: tuple[str, str]
) -> None:
    async with asyncio.timeout(SOON), stream(site, post("/wait", {}, [*ALICE, accept])) as response:
        run_id, head = response.headers["run-id"], await response.read()

        await site.disconnect("alice")
        rest = await response.rest()

    assert response.error is None
    assert b"waiting" in head
    assert b"data" not in rest
    assert (b"retry: " in rest) == (accept is SSE)
    assert await status_of(site, run_id) is Status.RUNNING


async def test_plain_text_of_whom_access_was_revoked_is_aborted(site: Actions) -> None:
    async with asyncio.timeout(SOON), stream(site, post("/wait", {}, [*ALICE, TEXT])) as response:
        head = await response.read()

        await site.disconnect("alice")
        rest = await response.rest()

    assert (head, rest) == (b"waiting", b"")
    assert isinstance(response.error, BrokenOff)


@pytest.mark.parametrize("place", [0, 1], ids=["answer", "poll"])
async def test_what_waits_for_somebody_whose_access_was_revoked_is_401(
    site: Actions, place: int
) -> None:
    run_id = await begun(site)

    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        asked = group.create_task(send(site, waiting_calls(run_id)[place]))
        await until_followed(site, run_id)
        await site.disconnect("alice")

    assert code_of(asked.result()) == (401, "UNAUTHORIZED")
    assert await status_of(site, run_id) is Status.RUNNING


async def test_a_start_that_waits_for_its_first_event_is_401() -> None:
    go = asyncio.Event()
    actions = world(timing=Timing(head_wait=SOON, grace=0.0, sweep_every=3600.0))

    @actions.action
    async def late() -> AsyncIterator[Text]:
        await go.wait()
        yield Text("late")

    async with opened(actions) as site, asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        asked = group.create_task(send(site, post("/late", {}, ALICE)))
        while not site.site.sign_outs.readers:  # noqa: ASYNC110 - the request has no other sign
            await asyncio.sleep(0.001)
        await site.disconnect("alice")
        answer = await asked
        go.set()

    assert code_of(answer) == (401, "UNAUTHORIZED")


@pytest.mark.parametrize("kind", ["memory", "file"])
async def test_a_run_that_ends_at_once_shows_nothing_to_somebody_it_has_signed_out(
    tmp_path: Path, kind: str
) -> None:
    store = MemoryStore() if kind == "memory" else SQLiteStore(tmp_path / "runs.db")
    site = Actions(identify=identify, store=store)

    @site.action
    async def leave() -> AsyncIterator[str]:
        """Sign the caller out, and say something."""
        await site.disconnect("alice")
        yield "too late"

    async with opened(site), asyncio.timeout(SOON):
        answer = await send(site, post("/leave", {}, ALICE))

    assert answer.status == Unauthorized.status
    assert b"too late" not in answer.body


async def test_a_start_whose_body_arrived_after_the_revocation_starts_nothing(
    site: Actions,
) -> None:
    body_is_awaited, go = asyncio.Event(), asyncio.Event()
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        body_is_awaited.set()
        await go.wait()
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def take(message: Any) -> None:  # noqa: ANN401 - of ASGI
        sent.append(message)

    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        group.create_task(site(post("/say", {}, ALICE).scope(), receive, take))
        await body_is_awaited.wait()
        await site.disconnect("alice", cancel_runs=True)
        go.set()

    assert sent[0]["status"] == 401
    assert (await send(site, get("/runs", ALICE))).json()["runs"] == []


async def test_a_request_whose_identity_was_asked_before_the_revocation_gets_no_stream() -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    async def slow(request: HTTPConnection) -> str | None:
        name = await identify(request)
        if request.headers.get("x-slow"):
            asked.set()
            await go.wait()
        return name

    async with opened(world(identify=slow)) as site, asyncio.timeout(SOON):
        run_id = await begun(site)
        target = f"/runs/{run_id}/events?after=1"
        async with asyncio.TaskGroup() as group:
            late = group.create_task(send(site, get(target, [*ALICE, ("x-slow", "1")])))
            await asked.wait()
            await site.disconnect("alice")
            go.set()

    assert b"retry: " in late.result().body
    assert b"cancelled" not in late.result().body


# What continues.


async def test_nobody_else_is_disconnected(site: Actions) -> None:
    async with (
        asyncio.timeout(SOON),
        stream(site, post("/wait", {}, BOB)) as bobs,
        stream(site, post("/wait", {}, NOBODY)) as nobodys,
    ):
        await site.disconnect("alice", cancel_runs=True)
        await site.app.sweep()
        run_ids = [each.headers["run-id"] for each in (bobs, nobodys)]
        statuses = [await status_of(site, run_id) for run_id in run_ids]
        readers = {each.run_id for each in site.site.sign_outs.readers}
        for run_id in run_ids:
            await site.app.cancel(run_id)
        rests = [await each.rest() for each in (bobs, nobodys)]

    assert statuses == [Status.RUNNING] * 2
    assert readers == {*run_ids}
    assert all(b"event: cancelled" in rest for rest in rests)


@pytest.mark.parametrize(
    "moves", [False, True], ids=["a clock that does not move", "a clock that moves"]
)
async def test_a_user_who_signed_in_again_is_answered_and_stays(*, moves: bool) -> None:
    clock = SystemClock() if moves else MovingClock()
    async with opened(world(clock=clock)) as site, asyncio.timeout(SOON):
        run_id = await begun(site)
        await site.disconnect("alice")

        async with stream(site, get(f"/runs/{run_id}/events", ALICE)) as response:
            await response.read()
            await site.app.sweep()
            await site.app.sweep()
            await site.app.cancel(run_id)
            rest = await response.rest()

    assert b"event: cancelled" in rest


async def test_an_owner_is_cut_by_his_own_name_and_not_by_that_of_the_runs_owner() -> None:
    async with opened(world(access=lambda caller, _run, _verb: caller.owner == "bob")) as site:
        run_id = await begun(site)
        target = f"/runs/{run_id}/events"
        async with (
            asyncio.timeout(SOON),
            stream(site, get(target, ALICE)) as alices,
            stream(site, get(target, BOB)) as bobs,
        ):
            for each in (alices, bobs):
                await each.read()
            await site.disconnect("bob")
            bob_read = await bobs.rest()
            await site.app.cancel(run_id)
            alice_read = await alices.rest()

    assert b"retry: " in bob_read
    assert b"event: cancelled" in alice_read


# Runs.


@pytest.mark.parametrize("is_cancelled", [False, True])
async def test_the_owners_runs_continue_or_are_cancelled_as_asked(
    site: Actions, *, is_cancelled: bool
) -> None:
    alices = [await begun(site) for _ in range(60)]  # more than a page
    others = [await begun(site, headers=BOB), await begun(site, headers=NOBODY)]
    over = await ended(site)

    await site.disconnect("alice", cancel_runs=is_cancelled)
    if is_cancelled:
        async with asyncio.timeout(SOON):
            for run_id in alices:
                await wait_for_end(site, run_id)

    expected = Status.CANCELLED if is_cancelled else Status.RUNNING
    assert {await status_of(site, run_id) for run_id in alices} == {expected}
    assert {await status_of(site, run_id) for run_id in others} == {Status.RUNNING}
    assert await status_of(site, over) is Status.COMPLETED


@pytest.mark.parametrize("owner", [None, 7, b"alice", Identity(owner="alice")])
async def test_only_a_name_can_be_disconnected(site: Actions, owner: Any) -> None:  # noqa: ANN401 - a mistake
    run_id = await begun(site, headers=NOBODY)

    with pytest.raises(UsageError, match="disconnect takes a name that identify gave, not"):
        await site.disconnect(owner, cancel_runs=True)

    assert await status_of(site, run_id) is Status.RUNNING


# Several processes.


@pytest.mark.parametrize("accept", STREAMS)
async def test_streams_end_in_every_process_that_shares_the_store(
    tmp_path: Path, accept: tuple[str, str]
) -> None:
    async with two_sites(tmp_path) as (here, there), asyncio.timeout(SOON):
        async with stream(there, post("/wait", {}, [*ALICE, accept])) as response:
            run_id = response.headers["run-id"]
            await response.read()

            await here.disconnect("alice")
            await there.app.sweep()
            rest = await response.rest()
        status = await status_of(here, run_id)

    assert (response.error is None) == (accept is not TEXT)
    assert b"data" not in rest
    assert status is Status.RUNNING


@pytest.mark.parametrize("place", [0, 1], ids=["answer", "poll"])
async def test_what_waits_is_401_in_every_process_that_shares_the_store(
    tmp_path: Path, place: int
) -> None:
    async with two_sites(tmp_path) as (here, there), asyncio.timeout(SOON):
        run_id = await begun(there)
        async with asyncio.TaskGroup() as group:
            asked = group.create_task(send(there, waiting_calls(run_id)[place]))
            await until_followed(there, run_id)
            await here.disconnect("alice")
            await there.app.sweep()

    assert code_of(asked.result()) == (401, "UNAUTHORIZED")


async def test_other_processes_take_revocations_over_by_themselves(tmp_path: Path) -> None:
    brisk = Timing(head_wait=0.2, grace=0.0, sweep_every=0.02)
    async with (
        asyncio.timeout(SOON),
        two_sites(tmp_path, timing=brisk) as (here, there),
        stream(there, post("/wait", {}, ALICE)) as response,
    ):
        await here.disconnect("alice")

        assert b"retry: " in await response.rest()


async def test_runs_are_cancelled_in_every_process_that_shares_the_store(tmp_path: Path) -> None:
    brisk = Timing(head_wait=0.2, grace=0.0, sweep_every=3600.0, lease=0.3)
    async with two_sites(tmp_path, timing=brisk) as (here, there), asyncio.timeout(SOON):
        run_id = await begun(there)

        await here.disconnect("alice", cancel_runs=True)
        await wait_for_end(there, run_id)

        assert await status_of(here, run_id) is Status.CANCELLED


async def test_a_user_who_signed_in_again_stays_in_a_process_that_learns_of_it_later(
    tmp_path: Path,
) -> None:
    async with two_sites(tmp_path) as (here, there), asyncio.timeout(SOON):
        run_id = await begun(there)
        await here.disconnect("alice")

        async with stream(there, get(f"/runs/{run_id}/events", ALICE)) as response:
            await response.read()
            await there.app.sweep()
            await there.app.cancel(run_id)
            rest = await response.rest()

    assert b"event: cancelled" in rest


async def test_a_store_that_fails_is_told_of_and_this_process_ends_its_streams_anyway(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def revoke(_owner: str) -> float:
        raise StoreError("the disk is full")

    async with opened(world()) as site, asyncio.timeout(SOON):
        monkeypatch.setattr(site.app.store, "revoke", revoke)
        async with stream(site, post("/wait", {}, ALICE)) as response:
            with pytest.raises(StoreError, match="the disk is full"):
                await site.disconnect("alice")

            assert b"retry: " in await response.rest()


async def test_a_sweep_continues_where_revocations_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def revoked(_since: int) -> Revoked:
        raise StoreError("the disk is gone")

    clock = MovingClock()
    async with opened(world(clock=clock)) as site:
        action = site.app.registry.action_named("wait")
        request = StartRequest(action=action, caller=Caller(owner="alice"), data={})
        run = await site.app.begin(request)
        monkeypatch.setattr(site.app.store, "revoked", revoked)
        clock.advance(60.0)
        with pytest.raises(StoreError, match="the disk is gone"):
            await site.app.sweep()

        assert (await site.app.store.get(run.id)).cancel_reason == "unattended"


# What one process knows.


def reader_of(caller: Caller, readers: set[Reader]) -> Reader:
    reader = Reader(MemoryStore(), Audience(), MovingClock(), "r1")
    reader.caller = caller
    readers.add(reader)
    return reader


async def test_a_process_that_missed_revocations_ends_what_every_owner_has_open() -> None:
    store, readers = MemoryStore(), set[Reader]()
    sign_outs = SignOuts(store, readers)
    await sign_outs.catch_up()
    here = [reader_of(Caller(owner=name, asked_at=time.monotonic()), readers) for name in "ab"]
    nobodys = reader_of(Caller(asked_at=time.monotonic()), readers)
    for _ in range(REVOCATIONS_KEPT + 1):
        await store.revoke("somebody else")

    await sign_outs.catch_up()
    late = Caller(owner="a", asked_at=time.monotonic())

    assert [each.is_revoked for each in (*here, nobodys)] == [True, True, False]
    assert sign_outs.has(here[0].caller)
    assert not sign_outs.has(late)


async def test_a_process_that_begins_late_has_missed_nothing() -> None:
    store, readers = MemoryStore(), set[Reader]()
    for _ in range(REVOCATIONS_KEPT + 1):
        await store.revoke("somebody else")
    here = reader_of(Caller(owner="alice", asked_at=time.monotonic()), readers)

    await SignOuts(store, readers).catch_up()

    assert not here.is_revoked


async def test_what_is_known_is_bounded_and_what_is_dropped_counts_for_everybody() -> None:
    store, readers = MemoryStore(), set[Reader]()
    sign_outs = SignOuts(store, readers)
    early = reader_of(Caller(owner="alice", asked_at=time.monotonic()), readers)

    for number in range(REVOCATIONS_KEPT + 1):
        await sign_outs.revoke(f"owner {number}")
    late = Caller(owner="alice", asked_at=time.monotonic())

    assert len(sign_outs) == REVOCATIONS_KEPT
    assert early.is_revoked
    assert not sign_outs.has(late)


async def test_a_caller_from_python_is_nobody_whose_access_is_revoked() -> None:
    sign_outs = SignOuts(MemoryStore(), set())

    await sign_outs.revoke("alice")

    assert not sign_outs.has(Caller(owner="alice"))
    sign_outs.check(Caller(owner="alice"))


# Identity that is asked for again.


class Session:
    """Who is signed in, as an application remembers it."""

    def __init__(self) -> None:
        self.known: Any = "alice"
        self.times = 0

    async def identify(self, _request: HTTPConnection) -> str | Identity | None:
        self.times += 1
        if isinstance(self.known, Exception):
            raise self.known
        if self.known is Ellipsis:
            await asyncio.Event().wait()
        return self.known  # type: ignore[no-any-return]

    async def until_asked(self, times: int) -> None:
        times += self.times
        async with asyncio.timeout(SOON):
            while self.times < times:  # noqa: ASYNC110 - there is nothing else to wait for
                await asyncio.sleep(0.001)


def asking(session: Session, **settings: Any) -> Actions:  # noqa: ANN401 - an application's
    timing = Timing(head_wait=0.2, grace=0.0, sweep_every=3600.0, reauthorize=0.01)
    return world(identify=session.identify, timing=timing, **settings)


ENDED = [
    None,
    "bob",
    Unauthorized(),
    RuntimeError("the database is gone"),
    Identity(owner="bob"),
    ...,
]


@pytest.mark.parametrize("then", ENDED, ids=repr)
@pytest.mark.parametrize("accept", STREAMS)
async def test_a_stream_ends_when_its_caller_is_not_there_any_more(
    accept: tuple[str, str], then: object
) -> None:
    session = Session()
    async with opened(asking(session)) as site, asyncio.timeout(SOON):
        async with stream(site, post("/wait", {}, [accept])) as response:
            run_id = response.headers["run-id"]
            await response.read()
            session.known = then
            rest = await response.rest()

        assert b"data" not in rest
        assert (response.error is None) == (accept is not TEXT)
        assert await status_of(site, run_id) is Status.RUNNING


@pytest.mark.parametrize("place", [0, 1], ids=["answer", "poll"])
async def test_what_waits_is_401_when_its_caller_is_not_there_any_more(place: int) -> None:
    session = Session()
    async with opened(asking(session)) as site, asyncio.timeout(SOON):
        run_id = await begun(site, headers=NOBODY)
        async with asyncio.TaskGroup() as group:
            asked = group.create_task(send(site, waiting_calls(run_id, NOBODY)[place]))
            await until_followed(site, run_id)
            session.known = None

    assert code_of(asked.result()) == (401, "UNAUTHORIZED")


async def test_a_stream_continues_while_its_caller_is_there_and_is_asked_for_no_longer() -> None:
    session = Session()
    async with opened(asking(session)) as site, asyncio.timeout(SOON):
        async with stream(site, post("/wait", {}, NOBODY)) as response:
            await response.read()
            session.known = Identity(owner="alice", expires_at=SystemClock().now() + 3600)
            await session.until_asked(3)
            await site.app.cancel(response.headers["run-id"])
            rest = await response.rest()
        times = session.times
        await asyncio.sleep(0.05)

    assert b"event: cancelled" in rest
    assert session.times == times


async def test_a_stream_by_the_leave_of_access_ends_with_that() -> None:
    can: Callable[..., bool] = lambda *_: allowed[0]  # noqa: E731 - one line
    allowed = [True]
    session = Session()
    async with opened(asking(session, access=can)) as site, asyncio.timeout(SOON):
        run_id = await begun(site, headers=NOBODY)
        session.known = "bob"
        async with stream(site, get(f"/runs/{run_id}/events")) as response:
            await response.read()
            await session.until_asked(2)
            allowed[0] = False

            assert b"retry: " in await response.rest()


class Stop(BaseException):
    """What is raised to end more than a request."""


@pytest.mark.parametrize("error", [asyncio.CancelledError, Stop, BaseExceptionGroup("s", [Stop()])])
async def test_whatever_ends_the_asking_ends_the_reading(error: Any) -> None:  # noqa: ANN401 - of many kinds
    async def ask() -> Caller:
        raise error

    reader = reader_of(Caller(owner="alice"), set())

    with pytest.raises(BaseException) as caught:  # noqa: PT011 - what was raised
        await ask_again(reader, ask, 0.001)

    assert reader.is_revoked
    assert not isinstance(caught.value, Exception)


async def test_an_identify_that_ignores_its_cancellation_keeps_no_reader() -> None:
    is_over = asyncio.Event()

    async def ask() -> Caller:
        while not is_over.is_set():
            with suppress(asyncio.CancelledError):
                await is_over.wait()
        return Caller(owner="alice")

    reader = reader_of(Caller(owner="alice"), set())
    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        group.create_task(ask_again(reader, ask, 0.001))
        while not reader.is_revoked:  # noqa: ASYNC110 - it is set in a timer
            await asyncio.sleep(0.001)
        is_over.set()

    assert reader.is_leaving


async def test_a_run_that_is_gone_revokes_nothing() -> None:
    async def ask() -> Caller:
        raise NotFound("There is no such run.")

    reader = reader_of(Caller(owner="alice"), set())

    await ask_again(reader, ask, 0.001)

    assert not reader.is_revoked


async def test_the_anonymous_are_not_asked_for_again() -> None:
    session = Session()
    session.known = None
    async with opened(asking(session)) as site, stream(site, post("/wait", {})) as response:
        await response.read()
        times = session.times
        await asyncio.sleep(0.05)

        assert session.times == times


async def test_a_client_that_follows_is_told_that_it_is_signed_out() -> None:
    session = Session()
    site = world(identify=session.identify)
    async with (
        asyncio.timeout(SOON),
        connect(site) as client,
        await client.start("wait", detached=False) as run,
    ):
        chunks = aiter(run)
        first = await anext(chunks)
        session.known = Unauthorized()
        await site.disconnect("alice")
        with pytest.raises(Unauthorized):
            await anext(chunks)
        await chunks.aclose()

    assert first == {"type": "text", "text": "waiting"}
