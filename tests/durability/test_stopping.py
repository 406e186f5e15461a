"""What becomes of streams, starts and running actions when a server is told to stop.

The servers are real ones, each in a process of its own, and are told as a service manager tells
them. They share a SQLite file with a second one, where there has to be somebody to continue.
"""

import asyncio
import signal
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from random import Random
from time import monotonic

import pytest

from tests.support.command import CommandServer
from tests.support.follower import Follower, Tally
from tests.support.stopping import BASE
from tests.support.wire import Answer, exchange, fetch, post, request
from yieldwire.asgi.streaming import RETRY_MS
from yieldwire.log.events import Event
from yieldwire.stores.sqlite import SQLiteStore

GRACE, LEASE = 1.0, 2.0
STREAMS = 20
HOUR = 3600.0
NOW = 1.0
"""Seconds, beyond those that were promised, that a busy machine can take."""

ALONE, MOUNTED = ("actions", ""), ("mounted", BASE)
ways = pytest.mark.parametrize(("name", "base"), [ALONE, MOUNTED], ids=["alone", "mounted"])
Start = Callable[..., CommandServer]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a server of the application on the test's own file."""
    with ExitStack() as stack:

        def start(name: str = "actions", command: str = "uvicorn", **env: str) -> CommandServer:
            env = {"RUNS": str(tmp_path), "GRACE": str(GRACE), "LEASE": str(LEASE), **env}
            target = f"tests.support.stopping:{name}"
            log = tmp_path / "server.log"
            return stack.enter_context(CommandServer(target, log, env, command=command))

        yield start


async def started(server: CommandServer, path: str, value: object = None, **headers: str) -> str:
    """Start a run that continues without readers, wait for its first event, return its id."""
    await server.wait_until_listening()
    answer = await fetch(server.port, post(path, value, {"Prefer": "respond-async", **headers}))
    return await begun(server, answer)


async def begun(server: CommandServer, answer: Answer) -> str:
    assert answer.status == 202, answer
    run_id: str = answer.json()["id"]
    await fetch(server.port, request("GET", f"/runs/{run_id}?after=0&wait=10"))
    return run_id


async def log_of(folder: Path, run_id: str, *, within: float) -> list[Event]:
    """Return a run's whole log, read from the file as soon as it has ended."""
    store = SQLiteStore(folder / "runs.db")
    try:
        async with asyncio.timeout(within):
            while not (run := await store.get(run_id)).status.is_terminal:
                await store.read(run_id, run.seq, wait=1)
        return [event for block in await store.read(run_id, 0) for event in block.events()]
    finally:
        await store.close()


def kinds(log: list[Event]) -> list[str]:
    return [event.type.value for event in log]


@asynccontextmanager
async def streams(server: CommandServer, base: str) -> AsyncGenerator[list[Follower]]:
    """Open streams, each of a run of its own, which are read once and not resumed."""
    await server.wait_until_listening()
    random, tally = Random(0), Tally()  # noqa: S311 - repeatable, and no secret
    opening = post(f"{base}/tick", {"until": monotonic() + HOUR, "pause": 0.01})
    followers = [Follower(tally, random, base=base, start=opening) for _ in range(STREAMS)]
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        for each in followers:
            group.create_task(each.connect(server.port))
        for each in followers:
            await each.has_begun.wait()
        yield followers


@ways
@pytest.mark.parametrize("command", ["uvicorn", "granian", "hypercorn alone"])
async def test_streams_end_between_two_frames_and_say_when_to_come_back(
    start: Start, command: str, name: str, base: str
) -> None:
    server = start(name, command)

    async with streams(server, base) as followers:
        server.stop()
    seconds = await server.wait_until_gone()

    assert [each.violations for each in followers] == [[]] * STREAMS
    assert all(each.was_whole and not each.has_cut_frame for each in followers)
    assert all(each.seq > 0 and not each.has_ended for each in followers)
    retries = [each.retry_ms or 0 for each in followers]
    assert all(RETRY_MS[0] <= retry <= RETRY_MS[1] for retry in retries)
    assert len(set(retries)) > STREAMS / 2  # they do not come back all at once
    assert seconds <= GRACE + NOW


@ways
async def test_a_server_that_hides_the_signal_cuts_streams_between_two_frames(
    start: Start, name: str, base: str
) -> None:
    server = start(name, "hypercorn")
    its_own_grace = 1

    async with streams(server, base) as followers:
        server.stop()
    seconds = await server.wait_until_gone()

    assert [each.violations for each in followers] == [[]] * STREAMS
    assert not any(each.was_whole or each.has_cut_frame for each in followers)
    assert seconds <= its_own_grace + GRACE + NOW


@ways
@pytest.mark.parametrize("command", ["uvicorn", "granian", "hypercorn alone"])
async def test_what_would_start_during_the_stop_is_told_to_try_again(
    start: Start, command: str, name: str, base: str
) -> None:
    server = start(name, command)
    await server.wait_until_listening()

    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        late = group.create_task(fetch(server.port, post(f"{base}/stay", {}, {"X-Late": "yes"})))
        # Answered after the late one came in, on one thread: so that one has begun to wait.
        await fetch(server.port, request("GET", f"{base}/manifest.json"))
        server.stop()
    answer = late.result()

    assert answer.status == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["error"]["code"] == "UNAVAILABLE"


async def test_a_stream_that_is_opened_during_the_stop_ends_at_once(start: Start) -> None:
    server, other = start(), start()
    run_id = await started(other, "/stay")
    await server.wait_until_listening()

    follow = request("GET", f"/runs/{run_id}/events?after=0", {"X-Late": "yes"})
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        late = group.create_task(fetch(server.port, follow))
        await fetch(server.port, request("GET", "/manifest.json"))
        server.stop()
    answer = late.result()

    assert answer.body.endswith(b"\n\n")
    assert answer.body.splitlines()[-2].startswith(b"retry: ")


@ways
async def test_an_action_that_fits_into_the_grace_finishes(
    start: Start, tmp_path: Path, name: str, base: str
) -> None:
    server = start(name)
    await server.wait_until_listening()

    opening = post(f"{base}/finish_last")
    async with asyncio.timeout(20), exchange(server.port, opening) as stream:
        assert await anext(stream.pieces())
        server.stop()
        await server.wait_until_gone()
    log = await log_of(tmp_path, stream.headers["run-id"], within=NOW)

    assert [event.value.get("text") for event in log] == ["before", "after", None]
    assert kinds(log) == ["chunk", "chunk", "done"]


async def test_an_action_that_does_not_fit_is_begun_again_elsewhere_within_seconds(
    start: Start, tmp_path: Path
) -> None:
    server, other = start(LEASE="30"), start(LEASE="30")
    await other.wait_until_listening()
    until = monotonic() + GRACE + 5
    run_id = await started(server, "/tick", {"until": until, "pause": 0.05})

    server.stop()
    await server.wait_until_gone()
    follow = request("GET", f"/runs/{run_id}?after=0&wait=10")
    async with asyncio.timeout(5):
        while (await fetch(other.port, follow)).json()["attempt"] < 2:
            pass
    log = await log_of(tmp_path, run_id, within=10)

    (restarted,) = [event for event in log if event.type == "restarted"]
    assert restarted.value == {"attempt": 2, "keep": 0}
    assert str(log[restarted.seq].value).startswith("attempt 2")
    assert kinds(log)[-1] == "done"


async def test_an_action_that_cannot_run_twice_ends_as_interrupted(
    start: Start, tmp_path: Path
) -> None:
    server, other = start(), start()
    await other.wait_until_listening()
    run_id = await started(server, "/stay")

    server.stop()
    await server.wait_until_gone()
    log = await log_of(tmp_path, run_id, within=LEASE + NOW)

    assert kinds(log) == ["chunk", "error"]
    assert log[-1].value["code"] == "INTERRUPTED"


async def test_a_thread_that_never_comes_back_does_not_keep_the_process(start: Start) -> None:
    server = start()
    await started(server, "/block")

    server.stop()

    assert await server.wait_until_gone() <= GRACE + NOW


async def test_who_tells_the_server_twice_does_not_wait_for_the_grace(
    start: Start, tmp_path: Path
) -> None:
    server, other = start(GRACE="30"), start()
    await other.wait_until_listening()
    run_id = await started(server, "/stay")

    server.stop(signal.SIGINT)
    await server.wait_until_deaf()  # two of the same that are pending would be one
    server.stop(signal.SIGINT)

    assert await server.wait_until_gone() <= 2 + NOW
    assert kinds(await log_of(tmp_path, run_id, within=LEASE + NOW))[-1] == "error"


async def test_a_file_that_was_uploaded_is_there_for_the_second_attempt_and_deleted_after_it(
    start: Start, tmp_path: Path
) -> None:
    server, other = start(), start()
    await other.wait_until_listening()
    await server.wait_until_listening()
    form = (
        b"--b\r\nContent-Disposition: form-data; name=file; filename=a.txt\r\n\r\n"
        b"what was sent\r\n--b--\r\n"
    )
    headers = {"Content-Type": "multipart/form-data; boundary=b", "Prefer": "respond-async"}
    run_id = await begun(
        server, await fetch(server.port, request("POST", "/digest", headers, form))
    )
    kept = tmp_path / "runs.db-files" / run_id
    assert len(list(kept.iterdir())) == 1

    server.stop()
    await server.wait_until_gone()
    log = await log_of(tmp_path, run_id, within=LEASE + 10)

    chunks = [event.value for event in log if event.type == "chunk"]
    assert chunks == ["attempt 1", "attempt 2", "what was sent"]
    async with asyncio.timeout(NOW):
        while kept.exists():  # noqa: ASYNC110 - it is another process that deletes it
            await asyncio.sleep(0.01)
