"""Nothing that a middleware around ``send`` does reaches the run."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import ASGIApp, Message

from tests.support.calls import post
from tests.support.runs import SOON
from tests.support.stacked import MIDDLEWARES
from tests.support.world import opened
from yieldwire import Actions, Timing
from yieldwire.stores import Query

EVENTS = 12


async def play(names: list[str], delays: list[float]) -> tuple[str, int, bool]:
    """Call an action through middlewares over a slow socket: its status, seq, and if it was hit."""
    actions = Actions(timing=Timing(grace=0.0))
    was_cancelled = False

    @actions.action(linger=None)
    async def count() -> AsyncIterator[int]:
        nonlocal was_cancelled
        try:
            for number in range(EVENTS):
                yield number
                await asyncio.sleep(0.005)
        except asyncio.CancelledError:
            was_cancelled = True
            raise

    app: ASGIApp = actions
    for name in names:
        app = MIDDLEWARES[name](app)
    waits, requests = iter(delays), [{"type": "http.request", "body": b"{}", "more_body": False}]

    async def receive() -> Message:
        if requests:
            return requests.pop()
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        await asyncio.sleep(next(waits, 0.0))

    async with opened(actions), asyncio.timeout(SOON):
        answering = asyncio.ensure_future(app(post("/count", {}).scope(), receive, send))  # noqa: TID251
        await asyncio.wait({answering}, timeout=SOON)
        if not answering.cancelled():
            answering.exception()  # a time limit that ran out is the response's own affair
        (run,) = await actions.app.store.find(Query(everyone=True))
        while not run.status.is_terminal:
            await actions.app.store.read(run.id, run.seq, wait=SOON)
            run = await actions.app.store.get(run.id)
    return run.status.value, run.seq, was_cancelled


@pytest.mark.parametrize("name", MIDDLEWARES)
async def test_a_run_completes_whatever_a_middleware_does_around_a_slow_send(name: str) -> None:
    assert await play([name], [0.0, 0.0, 0.0, 0.05]) == ("completed", EVENTS + 1, False)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from(sorted(MIDDLEWARES)), max_size=4),
    st.lists(st.sampled_from([0.0, 0.001, 0.03]), max_size=8),
)
def test_a_run_completes_behind_any_stack_of_middlewares(
    names: list[str], delays: list[float]
) -> None:
    assert asyncio.run(play(names, delays)) == ("completed", EVENTS + 1, False)
