"""Mistakes that are told where they are made, each as somebody would write it."""

import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial, wraps
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import Depends
from pydantic import BaseModel, Field

from yieldwire import (
    Actions,
    Body,
    Context,
    Identity,
    Progress,
    RateLimit,
    RequestLimits,
    Result,
    RunLimits,
    Stream,
    StreamableValue,
    Text,
    Timing,
    Upload,
    Use,
)
from yieldwire.client import AsyncClient, Client, Patience
from yieldwire.executors.docket import Docket
from yieldwire.stores.memory import MemoryStore
from yieldwire.stores.redis import RedisStore
from yieldwire.stores.sqlite import SQLiteStore


class Connection:
    """A class that Pydantic knows nothing of."""


class OwnContext(Context):
    pass


class Order(BaseModel):
    amount: int = 1


def current_user() -> str:
    return "ada"


class Shop:
    async def pay(self, amount: int) -> int:
        return amount

    async def __call__(self, amount: int) -> int:
        return amount

    @staticmethod
    async def refund(amount: int) -> int:
        return amount


def declared(function: Any, /, **options: Any) -> Callable[[], object]:  # noqa: ANN401 - anything wrong
    """Return what declares an action."""
    return lambda: Actions().action(**options)(function)


def fed(function: Any, /, **options: Any) -> Callable[[], object]:  # noqa: ANN401 - anything wrong
    """Return what declares a feed."""
    return lambda: Actions().feed(**options)(function)


def made(kind: Any, /, *arguments: object, **settings: object) -> Callable[[], object]:  # noqa: ANN401
    """Return what makes an object of a class of settings."""
    return lambda: kind(*arguments, **settings)


@Actions().resource
async def pool() -> AsyncIterator[str]:
    yield "pool"


async def hides_a_resource(pools: list[Annotated[str, Use(pool)]]) -> None: ...


async def answers_once() -> str:
    return "42"


async def refund(order: int) -> AsyncIterator[Text]:
    yield Text(str(order))


async def pay(amount: int = 1) -> AsyncIterator[Text]:
    yield Text(str(amount))


async def yields_and_returns() -> int:  # type: ignore[misc]
    yield 1  # pyright: ignore[reportReturnType]


async def never_yields() -> AsyncIterator[int]:  # type: ignore[empty-body]
    ...


async def is_async() -> Iterator[int]:  # type: ignore[misc]
    yield 1  # pyright: ignore[reportReturnType]


def is_not_async() -> AsyncIterator[int]:  # type: ignore[misc]
    yield 1  # pyright: ignore[reportReturnType]


def returns_a_list() -> Iterator[int]:
    return [1]  # type: ignore[return-value]


async def yields_bytes() -> AsyncIterator[bytes]:
    yield b""


async def yields_lists_of_bytes() -> AsyncIterator[list[bytes]]:
    yield []


async def yields_anything() -> AsyncIterator[Any]:
    yield Result(1)


async def sends_bytes(stream: Stream[Text | bytes]) -> None: ...


async def changes_bytes(value: StreamableValue[bytearray]) -> None: ...


async def yields_a_connection() -> AsyncIterator[Connection]:
    yield Connection()


async def returns_a_connection() -> Connection:
    return Connection()


async def takes_a_connection(amount: int, connection: Connection) -> None: ...


async def takes_a_function(then: Callable[[int], str]) -> None: ...


async def takes_many(*amounts: int) -> None: ...


async def takes_by_place(ctx: Context, /) -> None: ...


async def takes_two_bodies(
    one: Annotated[Order, Body()], other: Annotated[Order, Body()]
) -> None: ...


async def takes_a_body_and_more(order: Annotated[Order, Body()], amount: int) -> None: ...


async def takes_a_number_as_body(order: Annotated[int, Body()]) -> None: ...


async def takes_its_own_context(ctx: OwnContext) -> None: ...


async def may_have_a_context(ctx: Context | None = None) -> None: ...


async def forgets_the_type(ctx) -> None: ...  # type: ignore[no-untyped-def] # noqa: ANN001


async def takes_two_streams(one: Stream[int], other: Stream[int]) -> None: ...


async def has_no_default(amount: Annotated[int, Field(default=3)]) -> None: ...


async def has_another_default(amount: int = "many") -> None: ...  # type: ignore[assignment]


async def has_none(name: str = None) -> None: ...  # type: ignore[assignment] # noqa: RUF013


async def has_a_text(amount: int = "3") -> None: ...  # type: ignore[assignment]


async def has_too_small_a_default(amount: Annotated[int, Field(ge=1)] = 0) -> None: ...


async def has_a_sentinel(user: Any = Connection()) -> None: ...  # noqa: ANN401, B008


async def hides_a_dependency(users: list[Annotated[str, Depends(current_user)]]) -> None: ...


async def has_a_connection(connection: Annotated[Connection, Depends(Connection)]) -> None: ...


async def has_an_identity(user: Identity) -> None: ...


async def has_a_dict(order: Order = {}) -> None: ...  # type: ignore[assignment] # noqa: B006


async def has_a_function(user: str = current_user) -> None: ...  # type: ignore[assignment]


async def takes_a_file(file: Upload) -> AsyncIterator[Text]:
    yield Text("")


def logged(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def wrapper(*args: object, **named: object) -> object:
        return function(*args, **named)

    return wrapper


@logged
async def hidden(amount: int) -> int:
    return amount


async def wraps_its_answer() -> Result[int]:
    return Result(1)


async def has_the_mark_as_default(order: Order = Body()) -> None: ...  # type: ignore[assignment] # noqa: B008


def with_a_local_type() -> Callable[..., object]:
    class Row(BaseModel):
        name: str

    async def add(row: "Row") -> None: ...

    add.__qualname__ = "add"
    return add


def blocking(ctx: Context) -> None: ...


async def guard(ctx: Context) -> None: ...


async def transaction(ctx: Context) -> AsyncGenerator[None]:
    yield


async def takes_more(ctx: Context, more: int) -> None: ...


async def takes_a_dependency(ctx: Context, user: Annotated[str, Depends(current_user)]) -> None: ...


async def hides_a_pool(ctx: Context, pool: Annotated[str, Use(pool)] | None = None) -> None: ...


FUNCTIONS: Final[dict[str, Callable[[], object]]] = {
    "a method, decorated in its class": declared(Shop.pay),
    "`@actions.action` above `@staticmethod`": declared(Shop.__dict__["refund"]),
    "`actions.action(Shop)`, a class": declared(Shop),
    "`actions.action(Shop())`, an object to call": declared(Shop()),
    "`actions.action(partial(pay, 3))`": declared(partial(pay, 3)),
    '`@actions.action("pay")`': lambda: Actions().action("pay"),  # type: ignore[call-overload]
    "`async def … -> int` with a `yield`": declared(yields_and_returns),
    "`async def … -> AsyncIterator[int]` without a `yield`": declared(never_yields),
    "`def … -> Iterator[int]` without a `yield`": declared(returns_a_list),
    "`async def … -> Iterator[int]` with a `yield`": declared(is_async),
    "`def … -> AsyncIterator[int]` with a `yield`": declared(is_not_async),
    "`@actions.action` above `@asynccontextmanager`": declared(asynccontextmanager(transaction)),
    "`@actions.action` above a decorator whose wrapper is a `def`": declared(hidden),
    "`-> Result[int]` without a `yield`": declared(wraps_its_answer),
    "`-> AsyncIterator[bytes]`": declared(yields_bytes),
    "`stream: Stream[Text | bytes]`": declared(sends_bytes),
    "`value: StreamableValue[bytearray]`": declared(changes_bytes),
    "`-> AsyncIterator[list[bytes]]`": declared(yields_lists_of_bytes),
    "`@actions.action(result=Connection)`": declared(yields_anything, result=Connection),
    "`-> AsyncIterator[Connection]`, a class of no known form": declared(yields_a_connection),
    "`-> Connection`": declared(returns_a_connection),
    "`row: Row`, a local class, with `from __future__ import annotations`": declared(
        with_a_local_type()
    ),
}

PARAMETERS: Final[dict[str, Callable[[], object]]] = {
    "`connection: Connection`, a class of no known form": declared(takes_a_connection),
    "`then: Callable[[int], str]`": declared(takes_a_function),
    "`*amounts: int`": declared(takes_many),
    "`ctx: Context, /`": declared(takes_by_place),
    "two parameters with `Body()`": declared(takes_two_bodies),
    "`Body()` and another parameter": declared(takes_a_body_and_more),
    "`order: Annotated[int, Body()]`": declared(takes_a_number_as_body),
    "`order: Order = Body()`": declared(has_the_mark_as_default),
    "`ctx: OwnContext`, a subclass of `Context`": declared(takes_its_own_context),
    "`ctx: Context | None`": declared(may_have_a_context),
    "`ctx` without a type": declared(forgets_the_type),
    "two of `Stream`": declared(takes_two_streams),
    "`amount: Annotated[int, Field(default=3)]`": declared(has_no_default),
    '`amount: int = "many"`': declared(has_another_default),
    "`name: str = None`": declared(has_none),
    '`amount: int = "3"`': declared(has_a_text),
    "`amount: Annotated[int, Field(ge=1)] = 0`": declared(has_too_small_a_default),
    "`user: Any = Connection()`": declared(has_a_sentinel),
    "`list[Annotated[str, Depends(current_user)]]`": declared(hides_a_dependency),
    "`connection: Annotated[Connection, Depends(Connection)]`": declared(has_a_connection),
    "`user: Identity`": declared(has_an_identity),
    "`order: Order = {}`": declared(has_a_dict),
    "`user: str = current_user`, a function": declared(has_a_function),
    "`list[Annotated[Pool, Use(pool)]]`": declared(hides_a_resource),
    "`file: Upload` of a feed": fed(takes_a_file),
}

OPTIONS: Final[dict[str, Callable[[], object]]] = {
    "`retry=3`": declared(pay, retry=3),
    '`linger="5s"`': declared(pay, linger="5s"),
    "`linger=math.inf`": declared(pay, linger=math.inf),
    "`linger=timedelta(minutes=5)`": declared(pay, linger=timedelta(minutes=5)),
    "`timeout=-1`": declared(pay, timeout=-1),
    "`timeout=math.nan`": declared(pay, timeout=math.nan),
    "`retries=-2`": declared(pay, retries=-2),
    "`retries=True`": declared(pay, retries=True),
    "`concurrency=0`": declared(pay, concurrency=0),
    '`schedule="hourly"`': declared(pay, queue="night", schedule="hourly"),
    '`schedule="0 2 * * *"` without a queue': declared(pay, schedule="0 2 * * *"),
    '`schedule="0 2 * * *"` with a parameter that has no default': declared(
        refund, queue="night", schedule="0 2 * * *"
    ),
    '`labels="import"`': declared(pay, labels="import"),
    "`guards=guard`": declared(pay, guards=guard),
    "`guards=[blocking]`, a `def`": declared(pay, guards=[blocking]),
    "`guards=[RateLimit]`, the class": declared(pay, guards=[RateLimit]),
    "`guards=[transaction]`": declared(pay, guards=[transaction]),
    "`guards=[takes_more]`": declared(pay, guards=[takes_more]),
    "`guards=[takes_a_dependency]`": declared(pay, guards=[takes_a_dependency]),
    "`guards=[hides_a_pool]`": declared(pay, guards=[hides_a_pool]),
    "`middleware=[guard]`": declared(pay, middleware=[guard]),
    "`middleware=[asynccontextmanager(transaction)]`": declared(
        pay, middleware=[asynccontextmanager(transaction)]
    ),
    '`errors="TOO_LATE"`': declared(pay, errors="TOO_LATE"),
    '`asks="Order"`': declared(pay, asks="Order"),
    "`asks=(Order, Order)`": declared(pay, asks=(Order, Order)),
    "`asks=Connection`": declared(pay, asks=Connection),
    "`asks=Order` of a shared feed": fed(pay, asks=Order, shared=True),
    "`asks=Order` of a feed with `keep=`": fed(pay, asks=Order, keep=5),
    "`shared=True` without `@actions.feed`": declared(pay, shared=True),
    "`keep=0` of a feed": fed(pay, keep=0),
    "`@actions.feed` above a function with one answer": fed(answers_once),
}

SETTINGS: Final[dict[str, Callable[[], object]]] = {
    '`Actions(hosts="app.example.com")`': made(Actions, hosts="app.example.com"),
    '`Actions(hosts=["https://app.example.com"])`': made(
        Actions, hosts=["https://app.example.com"]
    ),
    '`Actions(host=["app.example.com"])`': made(Actions, host=["app.example.com"]),
    '`Actions(origins=["https://app.example.com/"])`': made(
        Actions, origins=["https://app.example.com/"]
    ),
    '`Actions(trusted_proxies="10.0.0.1")`': made(Actions, trusted_proxies="10.0.0.1"),
    '`Actions(identify="ada")`': made(Actions, identify="ada"),
    "`Actions(guards=[blocking])`": made(Actions, guards=[blocking]),
    '`Actions(timing={"grace": 3})`': made(Actions, timing={"grace": 3}),
    "`Actions(max_runs=0)`": made(Actions, max_runs=0),
    '`Actions(store="mongodb://localhost")`': made(Actions, store="mongodb://localhost"),
    '`Actions(store="sqlite://runs.db")`': made(Actions, store="sqlite://runs.db"),
    '`Actions(store=Path("runs.db"))`': made(Actions, store=Path("runs.db")),
    "`Actions(store=SQLiteStore)`, the class": made(Actions, store=SQLiteStore),
    '`Actions(checks_chunks="yes")`': made(Actions, checks_chunks="yes"),
    "`Timing(grace=-1)`": made(Timing, grace=-1),
    "`Timing(grace=math.nan)`": made(Timing, grace=math.nan),
    "`Timing(grace=True)`": made(Timing, grace=True),
    "`RunLimits(threads=0)`": made(RunLimits, threads=0),
    "`RunLimits(max_event=10)`": made(RunLimits, max_event=10),
    "`RequestLimits(json_bytes=1.5)`": made(RequestLimits, json_bytes=1.5),
    "`Identity(owner=7)`": made(Identity, owner=7),
    "`MemoryStore(ended_bytes=-1)`": made(MemoryStore, ended_bytes=-1),
    '`SQLiteStore("sqlite:///runs.db")`': made(SQLiteStore, "sqlite:///runs.db"),
    '`SQLiteStore(":memory:")`': made(SQLiteStore, ":memory:"),
    '`RedisStore("localhost:6379")`': made(RedisStore, "localhost:6379"),
    '`Docket("localhost:6379")`': made(Docket, "localhost:6379"),
    '`SQLiteStore("runs.db", synchronous="full")`': made(
        SQLiteStore, "runs.db", synchronous="full"
    ),
    '`AsyncClient("example.com")`': made(AsyncClient, "example.com"),
    '`AsyncClient("https://example.com", timeout=3)`': made(
        AsyncClient, "https://example.com", timeout=3
    ),
    '`Client("https://example.com", token=b"secret")`': made(
        Client, "https://example.com", token=b"secret"
    ),
    '`Client("https://example.com", headers=["X-Team: 1"])`': made(
        Client, "https://example.com", headers=["X-Team: 1"]
    ),
    '`Client("https://example.com", patience={"tries": 3})`': made(
        Client, "https://example.com", patience={"tries": 3}
    ),
    "`Patience(tries=0)`": made(Patience, tries=0),
    '`RateLimit("often")`': made(RateLimit, "often"),
    '`RateLimit("10/minute; 100/hour")`': made(RateLimit, "10/minute; 100/hour"),
    "`RateLimit(10)`": made(RateLimit, 10),
    '`RateLimit("1/hour", storage="disk://")`': made(RateLimit, "1/hour", storage="disk://"),
    "`@actions.resource` above `async def pool(url: str)`": lambda: Actions().resource(takes_more),  # type: ignore[arg-type]
    "`actions.include(pay)`": lambda: Actions().include(pay),  # type: ignore[arg-type]
    "`await actions.start(pay)`, the function itself": lambda: Actions().app.registry.own(pay),  # type: ignore[arg-type]
    '`Progress("x")`': made(Progress, "x"),
    "`Progress(1, total=math.nan)`": made(Progress, 1, total=math.nan),
}

TABLES: Final = {
    "Functions": FUNCTIONS,
    "Parameters": PARAMETERS,
    "Options of an action": OPTIONS,
    "Settings": SETTINGS,
}
