"""Guards, middleware and resources have types of their own; `# error` marks misuse."""

from collections.abc import AsyncIterator
from typing import Annotated, assert_type

from yieldwire import ActionError, Actions, Context, RateLimit, Text, Use
from yieldwire.errors import Unauthorized


async def signed_in(ctx: Context) -> None:
    if ctx.owner is None:
        raise Unauthorized


async def transaction(ctx: Context) -> AsyncIterator[None]:
    yield


def blocking(ctx: Context) -> None: ...


async def takes_no_context(text: str) -> None: ...


actions = Actions(guards=[signed_in, RateLimit("10/minute")], middleware=[transaction])


@actions.resource
async def pool() -> AsyncIterator[list[str]]:
    yield ["a"]


async def known(ctx: Context, rows: Annotated[list[str], Use(pool)]) -> None:
    if ctx.owner not in rows:
        raise Unauthorized


async def held(ctx: Context, *, rows: Annotated[list[str], Use(pool)]) -> AsyncIterator[None]:
    rows.append(ctx.run_id)
    yield


@actions.action(guards=[signed_in, known], middleware=[transaction, held])
async def use() -> AsyncIterator[Text]:
    yield Text("a")


@actions.action
async def take(
    ctx: Context, rows: Annotated[list[str], Use(pool)], name: str
) -> AsyncIterator[Text]:
    yield Text(rows[0] + name)


Use("pool")  # error


async def use_in_a_route() -> None:
    assert_type(await actions.app.resource(pool), list[str])


@actions.action(guards=[takes_no_context])  # error
async def guarded_without_the_context() -> str:
    return ""


@actions.action(guards=[blocking])  # error
async def guarded_by_blocking_code() -> str:
    return ""


@actions.action(middleware=[signed_in])  # error
async def wrapped_in_a_guard() -> str:
    return ""


@actions.action(errors=[ActionError, "TOO_LATE"])
async def failing_as_declared() -> str:
    return ""


@actions.action(errors=[Unauthorized])  # error
async def failing_as_the_framework_does() -> str:
    return ""


@actions.resource  # error
async def opened_without_a_yield() -> str:
    return ""


Actions(store=3)  # error
Actions(guards=signed_in)  # error
