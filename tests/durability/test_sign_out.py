"""Two processes with one file: a user signed out in one of them has nothing open in either."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.command import CommandServer, served
from tests.support.wire import Answer, fetch, post, request

SOON = 30.0
SSE, NDJSON, WHOLE = "text/event-stream", "application/x-ndjson", "application/json"


@pytest.fixture
async def servers(tmp_path: Path) -> AsyncIterator[list[CommandServer]]:
    sessions = tmp_path / "sessions"
    sessions.mkdir()
    for token in ("first", "second"):
        (sessions / token).write_text("ada", "ascii")
    (sessions / "other").write_text("ben", "ascii")
    env = {"RUNS_FILE": str(tmp_path / "runs.db"), "SESSIONS": str(sessions)}
    async with served("tests.support.signed:actions", tmp_path, env) as servers:
        yield servers


def by(token: str, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", **more}


async def begun(server: CommandServer, token: str) -> str:
    """Start a run that continues, and return its id when it has an event."""
    started = await fetch(server.port, post("/wait", headers=by(token, Prefer="respond-async")))
    run_id = started.headers["run-id"]
    await fetch(server.port, request("GET", f"/runs/{run_id}?after=0&wait=20", by(token)))
    return run_id


async def state_of(server: CommandServer, run_id: str, token: str) -> str:
    answer = await fetch(server.port, request("GET", f"/runs/{run_id}", by(token)))
    return str(answer.json()["status"])


async def read_on(server: CommandServer, run_id: str, token: str) -> list[Answer]:
    """Follow a run in every way, behind its first event, and return what each was answered."""
    last = {"Last-Event-ID": f"{run_id}.1"}
    calls = [
        request("GET", f"/runs/{run_id}/events", by(token, Accept=SSE, **last)),
        request("GET", f"/runs/{run_id}/events", by(token, Accept=NDJSON, **last)),
        post("/wait", headers=by(token, Accept=WHOLE, **last)),
        request("GET", f"/runs/{run_id}?after=1&wait=60", by(token)),
    ]
    return await asyncio.gather(*(fetch(server.port, call) for call in calls))


async def until_read(server: CommandServer, readers: int) -> None:
    """Return when a process has that number of readers, in addition to the caller."""
    call = post("/count_readers", headers={"Accept": WHOLE})
    while (await fetch(server.port, call)).json()["result"] <= readers:  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.02)


async def sign_out(server: CommandServer, token: str, *, cancel_runs: bool = False) -> None:
    call = post("/sign_out", {"token": token, "cancel_runs": cancel_runs})
    assert (await fetch(server.port, call)).status == 200


@pytest.mark.parametrize("place", [0, 1], ids=["in this process", "in the other"])
async def test_a_user_who_is_signed_out_has_nothing_open_and_their_runs_continue(
    servers: list[CommandServer], place: int
) -> None:
    run_id, bens = await begun(servers[0], "first"), await begun(servers[0], "other")

    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        reading = group.create_task(read_on(servers[place], run_id, "first"))
        other = group.create_task(read_on(servers[place], bens, "other"))
        await until_read(servers[place], 8)
        await sign_out(servers[0], "first")
        sse, ndjson, answer, poll = await reading
        refused = await fetch(servers[1].port, request("GET", f"/runs/{run_id}", by("first")))
        is_other_open = not other.done()
        states = [await state_of(server, run_id, "second") for server in servers]
        await fetch(servers[1].port, request("POST", f"/runs/{bens}/cancel", by("other"), b""))
        undisturbed = await other

    assert (sse.status, b"retry: " in sse.body, b"event: cancelled" in sse.body) == (
        200,
        True,
        False,
    )
    assert (ndjson.status, ndjson.body.strip()) == (200, b"")
    assert (answer.status, poll.status, refused.status) == (401, 401, 401)
    assert is_other_open
    assert b"event: cancelled" in undisturbed[0].body
    assert states == ["running", "running"]


async def test_a_user_who_is_signed_out_can_have_their_runs_cancelled_in_both_processes(
    servers: list[CommandServer],
) -> None:
    runs = [await begun(server, "first") for server in servers]
    bens = await begun(servers[1], "other")

    await sign_out(servers[0], "first", cancel_runs=True)
    async with asyncio.timeout(SOON):
        for run_id in runs:
            call = request("GET", f"/runs/{run_id}/events", by("second"))
            assert b"event: cancelled" in (await fetch(servers[1].port, call)).body

    assert await state_of(servers[0], bens, "other") == "running"
