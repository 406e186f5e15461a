"""The head of an answer comes when it should, on each event loop that servers use."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from itertools import count

import pytest
from starlette.types import Receive, Scope, Send

from tests.support.runs import SOON
from tests.support.server import Loop, ThreadServer
from tests.support.wire import exchange, post
from yieldwire import Actions, Text, Timing

ANSWERS = 300


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
async def test_heads_that_wait_for_nothing_come_before_the_first_event(loop: Loop) -> None:
    actions, numbers = Actions(timing=Timing(head_wait=0.0, grace=0.0)), count()

    @actions.action(linger=0)
    async def stay() -> AsyncIterator[Text]:
        await asyncio.Event().wait()
        yield Text("never")

    async def one_after_the_other(scope: Scope, receive: Receive, send: Send) -> None:
        """Begin what came together in one turn of the loop in a turn each."""
        if scope["type"] == "http":
            for _ in range(next(numbers)):
                await asyncio.sleep(0)
        await actions(scope, receive, send)

    with ThreadServer(one_after_the_other, actions=actions, loop=loop) as server:
        async with AsyncExitStack() as stack, asyncio.timeout(SOON):
            answers = [exchange(server.port, post("/stay")) for _ in range(ANSWERS)]
            heads = await asyncio.gather(*map(stack.enter_async_context, answers))

            assert [head.status for head in heads] == [200] * ANSWERS
