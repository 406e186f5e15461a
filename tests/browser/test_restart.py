"""A server is killed in the middle of a run, and everybody who follows it reaches its end."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.async_api import Page, expect

from tests.support.command import CommandServer
from tests.support.restarting import STEPS

pytestmark = pytest.mark.asyncio(loop_scope="session")

CURSOR = re.compile(r"^id: (\S+)$", re.MULTILINE)
FRAME = re.compile(r"^id: [^.\s]+\.(\d+)\S*\n(?:event: (\w+)\n)?data: (.*)\n\n", re.MULTILINE)

Log = list[tuple[int, str, str]]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[CommandServer]:
    env = {"RUNS": str(tmp_path)}
    with CommandServer("tests.support.restarting:actions", tmp_path / "log", env) as server:
        await server.wait_until_listening()
        yield server


async def curl(url: str, *more: str) -> str:
    """Run the real curl until the body ends, well or badly, and return what it printed."""
    process = await asyncio.create_subprocess_exec(
        "curl", "-sN", url, *more, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    return printed.decode()


async def follow_by_curl(url: str) -> Log:
    """Follow a run with curl, begun again with the last id as often as it takes."""
    log: Log = []
    cursor: list[str] = []
    while not log or log[-1][1] not in {"done", "error", "cancelled"}:
        last = ["-H", f"Last-Event-ID: {cursor[-1]}"] if cursor else []
        printed = await curl(f"{url}/events", *last)
        for seq, kind, data in FRAME.findall(printed):
            if kind != "run":
                log.append((int(seq), kind or "chunk", data))
        cursor += CURSOR.findall(printed[: printed.rfind("\n\n") + 1])
        await asyncio.sleep(0.05)  # the server can be away
    return log


async def follow_by_polling(url: str) -> Log:
    """Follow a run by asking for what came since."""
    log: Log = []
    async with httpx2.AsyncClient() as client:
        while not log or log[-1][1] not in {"done", "error", "cancelled"}:
            after = log[-1][0] if log else 0
            try:
                answer = await client.get(f"{url}?after={after}&wait=5")
            except httpx2.TransportError:
                await asyncio.sleep(0.05)  # the server is away
                continue
            for event in answer.json()["events"]:
                log.append((event["seq"], event["type"], ""))
    return log


async def start(server: CommandServer, action: str) -> str:
    async with httpx2.AsyncClient() as client:
        url = f"http://127.0.0.1:{server.port}/{action}"
        answer = await client.post(url, headers={"prefer": "respond-async"})
        snapshot: dict[str, Any] = answer.json()
    return f"http://127.0.0.1:{server.port}/runs/{snapshot['id']}"


def keep_of(log: Log) -> int:
    """Return the seq up to which chunks count after the restart in a log."""
    (restarted,) = [json.loads(data) for _, kind, data in log if kind == "restarted"]
    keep: int = restarted["keep"]
    return keep


async def kill_and_restart(server: CommandServer, page: Page) -> None:
    await expect(page.locator("[data-role=message]")).to_contain_text("attempt 1, step")
    server.kill()
    server.start()
    await server.wait_until_listening()


@pytest.mark.parametrize("action", ["once", "again", "onward"])
async def test_a_tab_curl_and_a_polling_client_reach_the_same_end_over_a_kill(
    server: CommandServer, page: Page, action: str
) -> None:
    url = await start(server, action)
    await page.goto(url)
    async with asyncio.timeout(50), asyncio.TaskGroup() as group:
        by_curl = group.create_task(follow_by_curl(url))
        by_polling = group.create_task(follow_by_polling(url))
        await kill_and_restart(server, page)
    seen, polled = by_curl.result(), by_polling.result()

    assert [seq for seq, _, _ in seen] == list(range(1, len(seen) + 1))
    assert [(seq, kind) for seq, kind, _ in seen] == [(seq, kind) for seq, kind, _ in polled]
    if action == "once":
        assert '"code":"INTERRUPTED"' in seen[-1][2]
        await expect(page.locator("[data-role=status]")).to_have_text("Failed")
        await expect(page.locator("[data-role=code]")).to_have_text("INTERRUPTED")
    else:
        assert [kind for _, kind, _ in seen].count("restarted") == 1
        assert seen[-1][1:] == ("done", '{"result":2}')
        await expect(page.locator("[data-role=status]")).to_have_text("Completed")
        kept = sum(
            data.startswith('{"type":"text"') for seq, _, data in seen if seq <= keep_of(seen)
        )
        assert (kept > 0) == (action == "onward")
        text = "".join(f"{1 if step <= kept else 2}.{step} " for step in range(1, STEPS + 1))
        await expect(page.locator("[data-role=text]")).to_have_text(text)
