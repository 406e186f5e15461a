"""An action calls others with their own parameters, in both kinds of actions."""

from collections.abc import AsyncIterator
from typing import assert_type

from yieldwire import Actions, Context, Result, Stream, Text
from yieldwire.actions.child import ChildRun
from yieldwire.actions.run import Run
from yieldwire.errors import Json

actions = Actions()


@actions.action
async def double(n: int) -> int:
    return 2 * n


@actions.action(result=str)
async def letters(ctx: Context, month: str) -> AsyncIterator[Text | Result[str]]:
    yield Text(month)
    yield Result(month)


@actions.action
async def pushes(stream: Stream[Text], ctx: Context, month: str) -> list[str]:
    return [month]


async def an_action(ctx: Context) -> None:
    assert_type(await ctx.start(double, n=1), Run[int])
    assert_type(await ctx.run(letters, month="May").result(), str)
    assert_type([result async for result in ctx.map(double, [1])], list[int])
    await ctx.start(double, n="1")  # error


def a_blocking_action(ctx: Context) -> None:
    assert_type(ctx.blocking.start(double, n=1), ChildRun[int])
    assert_type(ctx.blocking.run(letters, month="May").result(), str)
    assert_type(ctx.blocking.run(pushes, month="May").result(), list[str])
    assert_type(list(ctx.blocking.run(letters, {"month": "May"})), list[Json])
    assert_type(list(ctx.blocking.map(double, [1])), list[int])
    ctx.blocking.start.with_options(key="one")(double, n=1)
    ctx.blocking.start(double, n="1")  # error
    ctx.blocking.run(letters)  # error
