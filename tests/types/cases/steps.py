"""A step has its function's parameters and result, in both kinds of actions."""

from typing import assert_type

from yieldwire import Context, Retry


async def fetch(url: str, *, size: int = 1) -> bytes:
    return url.encode() * size


def load(path: str) -> list[int]:
    return [len(path)]


async def an_action(ctx: Context) -> None:
    assert_type(await ctx.step("fetch", fetch, "u", size=2), bytes)
    assert_type(await ctx.step("load", load, "p"), list[int])
    assert_type(await ctx.step("again", fetch, "u", retries=3), bytes)
    assert_type(await ctx.step("again", load, "p", retries=Retry(3)), list[int])
    await ctx.step("fetch", fetch, 1)  # error
    await ctx.step("load", load)  # error
    await ctx.step("load", load, "p", retries="3")  # error


def a_blocking_action(ctx: Context) -> None:
    assert_type(ctx.blocking.step("load", load, "p"), list[int])
    assert_type(ctx.blocking.step("fetch", fetch, "u", retries=1), bytes)
    ctx.blocking.step("load", load, 1)  # error
