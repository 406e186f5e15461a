"""A line that blocks the event loop is reported in development; nothing is watched otherwise."""

import asyncio
import logging
import sysconfig
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.calls import post, send
from tests.support.world import WHOLE, opened
from yieldwire import Actions, devtools
from yieldwire.devtools.loopwatch import LoopWatch, _Watching  # pyright: ignore[reportPrivateUsage]

BLOCKED_SECONDS = 0.3


def threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "yieldwire loop watch"]


def work() -> None:
    """Keep the thread busy."""
    until = time.monotonic() + BLOCKED_SECONDS
    while time.monotonic() < until:
        pass  # the busy line


def line_of(text: str) -> int:
    lines = Path(__file__).read_text("utf-8").splitlines()
    return 1 + next(n for n, line in enumerate(lines) if line.strip().startswith(text))


BUSY_LINES = {line_of("while time.monotonic() < until"), line_of("pass  # the busy line")}


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> LoopWatch:
    """Return the watch of the application that the test attaches the page to."""
    watches = LoopWatch()
    monkeypatch.setattr(devtools, "LoopWatch", lambda: watches)
    return watches


@pytest.fixture
def development(watch: LoopWatch) -> Actions:
    actions = Actions()

    @actions.action
    async def block() -> AsyncIterator[int]:
        while not watch.blocked:  # a machine can be so loaded that the watch misses some
            work()
            yield 1

    @actions.action
    async def wait() -> AsyncIterator[int]:
        for n in range(3):
            await asyncio.sleep(0.2)
            yield n

    devtools.attach(actions)
    return actions


async def test_a_block_is_reported_with_its_run_and_its_line(
    development: Actions, watch: LoopWatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(development) as site:
        answer = await send(site, post("/block", {}, [WHOLE]))

    blocked = watch.blocked[answer.headers["run-id"]]
    file, _, line = blocked["place"].partition(":")
    assert (file, int(line) in BUSY_LINES) == ("tests/devtools/test_loopwatch.py", True)
    assert blocked["line"] in {"while time.monotonic() < until:", "pass  # the busy line"}
    assert blocked["ms"] >= 100
    assert blocked["count"] >= 1
    (record,) = [each for each in caplog.records if each.name == "yieldwire.dev"][:1]
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith("block blocked the event loop for ")
    assert blocked["place"] in record.getMessage()


async def test_a_block_of_no_run_is_reported_with_its_function(
    development: Actions, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(development):
        while not (reports := [each for each in caplog.records if each.name == "yieldwire.dev"]):
            work()
            await asyncio.sleep(0)

    assert reports[0].getMessage().startswith("work blocked the event loop for ")


async def test_an_action_that_waits_is_not_reported(development: Actions, watch: LoopWatch) -> None:
    async with opened(development) as site:
        await send(site, post("/wait", {}, [WHOLE]))

    assert watch.blocked == {}


@pytest.mark.parametrize("file", ["<frozen runpy>", f"{sysconfig.get_path('scripts')}/yieldwire"])
def test_what_starts_the_server_is_not_the_users_code(file: str) -> None:
    loop, ready, done = asyncio.new_event_loop(), threading.Event(), threading.Event()
    watching: list[_Watching] = []

    def begin() -> None:
        watching.append(_Watching(loop, lambda place, seconds: None))
        ready.set()

    code = compile("begin(); done.wait()", file, "exec")
    thread = threading.Thread(target=exec, args=(code, {"begin": begin, "done": done}))
    thread.start()
    ready.wait()
    find = watching[0]._place  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - what a sample sees
    while (place := find()) is not None and place.function == "begin":  # it is about to return
        pass
    done.set()
    thread.join()
    loop.close()

    assert place is None


async def test_the_watch_ends_with_its_application(development: Actions) -> None:
    async with opened(development):
        (thread,) = threads()

    await asyncio.to_thread(thread.join)
    assert threads() == []


async def test_an_application_without_the_page_has_no_watch() -> None:
    async with opened(Actions()):
        assert threads() == []
