"""An answer and a message have the type that was asked for, in both kinds of actions."""

from typing import Any, assert_type

from yieldwire import Context, Run


class Decision:
    approved: bool


async def an_action(ctx: Context) -> None:
    assert_type(await ctx.ask(bool, "Continue?"), bool)
    assert_type(await ctx.ask(Decision, "Publish?", timeout=3.0, id="x", detail=[1]), Decision)
    assert_type(await ctx.ask(int | None, "How many?"), Any)
    assert_type(await ctx.receive(Decision), Decision | None)
    assert_type(await ctx.receive(Decision, timeout=0), Decision | None)
    assert_type([each async for each in ctx.inbox(Decision)], list[Decision])
    await ctx.ask(bool)  # error
    await ctx.ask(bool, 3)  # error
    await ctx.ask(bool, "Continue?", timeout="3")  # error


def a_blocking_action(ctx: Context) -> None:
    assert_type(ctx.blocking.ask(bool, "Continue?"), bool)
    assert_type(ctx.blocking.receive(Decision, timeout=1), Decision | None)
    assert_type(list(ctx.blocking.inbox(Decision)), list[Decision])


async def a_caller(run: Run[int]) -> None:
    await run.answer("1", Decision(), by="ada", key="k")
    await run.send({"text": "a"})
    await run.answer(1, Decision())  # error
