"""Guards and middleware take the context, then resources, which are found when they are given."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import pytest

from yieldwire.actions.context import Context, RequestFacts
from yieldwire.actions.injection import hint_of, injected
from yieldwire.actions.resource import Resource, Use
from yieldwire.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable
    from datetime import date


async def open_pool() -> AsyncIterator[str]:
    yield "the pool"


pool = Resource(open_pool)


class HasOwner(Protocol):
    owner: str | None


async def takes_context(ctx: Context) -> object:
    return ctx


async def takes_a_part(ctx: HasOwner) -> object:
    return ctx


async def takes_pool(ctx: Context, rows: Annotated[str, Use(pool)]) -> object:
    return (ctx, rows)


async def takes_pool_by_name(ctx: Context, *, rows: Annotated[str, Use(pool)]) -> object:
    return (ctx, rows)


async def takes_a_default(ctx: Context, rows: Annotated[str, Use(pool)] = "none") -> object:
    return (ctx, rows)


async def takes_more(by: int, ctx: Context, rows: Annotated[str, Use(pool)]) -> object:
    return (ctx, rows)


class Guarding:
    async def __call__(self, ctx: Context, rows: Annotated[str, Use(pool)]) -> object:
        return (ctx, rows)


def context() -> Context:
    ctx = Context(run_id="r1", action="a", owner=None, quota_key="c", request=RequestFacts())
    ctx.opened = {pool: "the pool"}
    return ctx


@pytest.mark.parametrize(
    "function",
    [
        takes_pool,
        takes_pool_by_name,
        takes_a_default,
        partial(takes_more, 1),
        Guarding(),
        Guarding().__call__,
    ],
)
async def test_what_a_resource_opened_is_injected_by_the_parameters_type(
    function: Callable[..., Awaitable[object]],
) -> None:
    ctx = context()

    took = await injected(function)(ctx)

    assert hint_of(function) == ""
    assert took == (ctx, "the pool")


@pytest.mark.parametrize("function", [takes_context, takes_a_part, lambda *args: args])
def test_a_function_of_the_context_alone_is_called_directly(function: Callable[..., Any]) -> None:
    assert hint_of(function) == ""
    assert injected(function) is function


async def test_another_applications_resource_is_named() -> None:
    ctx = context()
    ctx.opened = {}

    with pytest.raises(UsageError, match="'open_pool' is not one of this application's"):
        await injected(takes_pool)(ctx)


async def takes_pool_first(rows: Annotated[str, Use(pool)], ctx: Context) -> None: ...
async def takes_a_number(ctx: Context, most: int) -> None: ...
async def takes_the_class(ctx: type[Context], rows: str) -> None: ...
async def takes_a_request(request: dict[str, str], ctx: Context) -> None: ...
async def takes_a_text(text: str) -> None: ...
async def takes_nothing() -> None: ...
async def takes_by_place(ctx: Context, rows: Annotated[str, Use(pool)], /) -> None: ...
async def hides_one(ctx: Context, rows: Annotated[str, Use(pool)] | None = None) -> None: ...
async def names_the_unknown(ctx: Context, day: date) -> None: ...


@pytest.mark.parametrize(
    ("function", "hint"),
    [
        (takes_pool_first, "takes_pool_first must take the Context, and then only resources"),
        (takes_a_number, "takes_a_number must take the Context, and then only resources"),
        (takes_the_class, "takes_the_class must take the Context, and then only resources"),
        (takes_a_request, "takes_a_request must take the Context, and then only resources"),
        (takes_a_text, "takes_a_text must take the Context, and then only resources"),
        (takes_nothing, "takes_nothing must take the Context, and then only resources"),
        (takes_by_place, "takes_by_place must take the Context, and then only resources"),
        (hides_one, "the parameter 'rows' has Use() where it is ignored; write `Annotated["),
        (names_the_unknown, "names_the_unknown names 'date', which is not known where it is"),
        (Guarding, "write Guarding(...)"),
    ],
)
def test_a_parameter_that_cannot_be_injected_is_told(
    function: Callable[..., object], hint: str
) -> None:
    assert hint_of(function).startswith(hint)
