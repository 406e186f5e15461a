"""What `@actions.action` makes of each shape; `# error` marks what must not type-check."""

from collections.abc import AsyncIterator, Generator, Iterator
from datetime import timedelta
from typing import Any, assert_type

from yieldwire import Actions, Context, Progress, Result, Run, Stream, StreamableValue, Text

actions = Actions()


@actions.action
async def async_generator(page: str, count: int = 3) -> AsyncIterator[Text | Result[int]]:
    yield Text(page * count)


@actions.action
def generator(rows: int) -> Iterator[Progress]:
    yield Progress(rows)


@actions.action
def generator_with_result(rows: int) -> Generator[Progress, None, list[str]]:
    yield Progress(rows)
    return []


@actions.action
async def stream_function(name: str, stream: Stream[Text]) -> int:
    await stream.send(Text(name))
    await stream.send("no Text")  # error
    return 1


@actions.action
async def value_function(value: StreamableValue[str], ctx: Context) -> None:
    value.update("a")
    value.update(3)  # error


@actions.action
async def async_function(number: int) -> dict[str, int]:
    return {"number": number}


@actions.action
def function(number: int) -> int:
    return number


@actions.action
def nothing() -> None: ...


@actions.action(linger=None, timeout=30.0, labels=("a", "b"))
async def with_options(number: int) -> str:
    return str(number)


@actions.feed(shared=True, keep=100)
def feed(symbol: str) -> Generator[float, None, int]:
    yield 1.0
    return 3


@actions.feed
async def plain_feed(symbol: str) -> AsyncIterator[float]:
    yield 1.0


@actions.feed(keep=3)
async def changing(value: StreamableValue[list[int]], symbol: str) -> None: ...


@actions.feed(result=int)
async def feed_with_result(symbol: str) -> AsyncIterator[Text | Result[int]]:
    yield Result(3)


@actions.action(shared=True)  # error
async def shared_without_a_feed() -> AsyncIterator[Text]:
    yield Text("a")


@actions.feed  # error
def feed_with_one_answer() -> int:
    return 3


@actions.action(timeout=3)
async def generator_with_options(page: str) -> AsyncIterator[Text]:
    yield Text(page)


# Calling an action calls the function, with its own signature.


async def call_the_functions() -> None:
    assert_type(async_generator("a"), AsyncIterator[Text | Result[int]])
    assert_type(generator(3), Iterator[Progress])
    assert_type(generator_with_result(rows=3), Generator[Progress, Any, list[str]])
    assert_type(await async_function(3), dict[str, int])
    assert_type(function(number=3), int)
    assert_type(await with_options(3), str)
    assert_type(feed("A"), Generator[float, Any, int])
    assert_type(generator_with_options("a"), AsyncIterator[Text])
    async_generator(3)  # error
    async_generator()  # error
    generator(lines=3)  # error
    function("3")  # error
    await with_options(3, 4)  # error


# A run's result has the type that the function declares.


async def start_the_actions() -> None:
    assert_type(await actions.start(generator_with_result, rows=3), Run[list[str]])
    assert_type(await (await actions.start(async_function, number=3)).result(), dict[str, int])
    assert_type(await (await actions.start(function, number=3)).result(), int)
    assert_type(await (await actions.start(with_options, number=3)).result(), str)
    assert_type(await (await actions.start(feed, symbol="A")).result(), int)
    assert_type(await (await actions.start(changing, symbol="A")).result(), list[int])
    assert_type(await (await actions.start(feed_with_result, symbol="A")).result(), int)
    assert_type(await actions.start(plain_feed, symbol="A"), Run[Any])
    await actions.start(plain_feed, symbol=3)  # error
    assert_type(await (await actions.start(nothing)).result(), None)
    assert_type(await actions.start(generator, rows=3), Run[Any])
    number: int = await (await actions.start(with_options, number=3)).result()  # error
    await actions.start(call_the_functions)  # error
    await actions.start(function, number=number)


# It is the last value of a streamable value that comes first, or behind a Context.


@actions.action
async def value_alone(value: StreamableValue[list[int]]) -> None: ...


@actions.action(linger=None)
async def value_behind_context(ctx: Context, value: StreamableValue[float], page: str) -> None: ...


@actions.action
async def value_behind_input(page: str, value: StreamableValue[float]) -> None: ...


async def start_the_values() -> None:
    assert_type(await (await actions.start(value_function)).result(), str)
    assert_type(await (await actions.start(value_alone)).result(), list[int])
    assert_type(await actions.start(value_behind_context, page="a"), Run[float])
    assert_type(await actions.start(value_behind_input, {"page": "a"}), Run[Any])
    text: str = await (await actions.start(value_alone)).result()  # error
    await actions.start(value_behind_context, page=text)
    await actions.start(value_behind_context, page=3)  # error


# It is what `result=` says, where the function yields it.


@actions.action(result=int)
async def yielded(page: str) -> AsyncIterator[Text | Result[int]]:
    yield Text(page)
    yield Result(3)


@actions.action(result=list[str], timeout=3)
def yielded_by_blocking_code(ctx: Context, page: str) -> Iterator[Text | Result[list[str]]]:
    yield Text(page)
    yield Result([page])


async def start_what_yields_its_result() -> None:
    assert_type(await (await actions.start(yielded, page="a")).result(), int)
    assert_type(await actions.start(yielded_by_blocking_code, page="a"), Run[list[str]])
    text: str = await (await actions.start(yielded, page="a")).result()  # error
    await actions.start(yielded, page=text)
    await actions.start(yielded, page=3)  # error


# The input is the action's own parameters, without what is injected first.


@actions.action
async def with_context(ctx: Context, page: str, *, count: int = 3) -> AsyncIterator[Text]:
    yield Text(page * count)


@actions.action
async def with_both(ctx: Context, stream: Stream[Text], page: str) -> int:
    return 1


@actions.action
async def with_both_swapped(stream: Stream[Text], ctx: Context, page: str) -> int:
    return 1


@actions.action
async def with_context_last(page: str, ctx: Context) -> int:
    return 1


async def start_with_input() -> None:
    await actions.start(async_generator, page="a")
    await actions.start(async_generator, page="a", count=3)
    await actions.start(async_generator, "a", count=3)
    await actions.start(with_context, page="a", count=3)
    await actions.start(with_both, page="a")
    await actions.start(with_both_swapped, page="a")
    await actions.start(async_generator)  # error
    await actions.start(async_generator, page=3)  # error
    await actions.start(async_generator, pages="a")  # error
    await actions.start(async_generator, page="a", count="3")  # error
    await actions.start(with_context)  # error
    await actions.start(with_context, page=3)  # error
    await actions.start(with_context, page="a", counts=3)  # error
    await actions.start(with_both)  # error
    await actions.start(with_both, page=3)  # error
    await actions.start(with_both_swapped, pages="a")  # error
    await actions.start(with_context_last, page="a")  # error
    await actions.start(with_options, 3, 4)  # error


# It can be one object, with options next to it; or the options are given before.


async def start_with_options() -> None:
    await actions.start(async_function, {"number": number_of("a")})
    await actions.start(with_context_last, {"page": "a"}, owner="ada", key="k")
    start = actions.start.with_options(owner="ada", key="k", webhook="https://a.example")
    assert_type(await start(with_context, page="a"), Run[Any])
    assert_type(await start(async_function, number=3), Run[dict[str, int]])
    await start(async_function, number="3")  # error
    await actions.start(async_function, {"number": 3}, owners="ada")  # error
    await actions.start(async_function, number=3, owner="ada")  # error
    actions.start.with_options(owner=3)  # error
    actions.start.with_options(webhook=3)  # error
    await actions.start(async_function, {"number": 3}, delay=timedelta(hours=1))
    actions.start.with_options(delay=1.5)(async_function, number=3)
    actions.start.with_options(start_at=12.5)  # error


def number_of(text: str) -> object:
    return len(text)


# A run that is attached to has the result of the action that is named.


async def attach() -> None:
    assert_type(await actions.runs.get("r1"), Run[Any])
    assert_type(await actions.runs.get("r1", async_function), Run[dict[str, int]])
    assert_type(await (await actions.runs.get("r1", yielded)).result(), int)
    await actions.runs.get("r1", call_the_functions)  # error


# Options are those that there are.


@actions.action(lingers=3)  # error
async def misspelt() -> str:
    return ""


@actions.action(method="PUT")  # error
async def no_such_method() -> str:
    return ""


@actions.action(timeout="30")  # error
async def timeout_as_text() -> str:
    return ""


@actions.action(result="Report")  # error
async def result_as_text() -> AsyncIterator[Text]:
    yield Text("a")


# What an action calls.


async def call_from_an_action(ctx: Context) -> None:
    assert_type(await ctx.start(function, number=3), Run[int])
    assert_type(await ctx.run(async_function, number=3).result(), dict[str, int])
    assert_type(await ctx.run(with_options, {"number": 3}, key="a").result(), str)
    assert_type([each async for each in ctx.map(function, [1, 2])], list[int])
    assert_type([chunk async for chunk in ctx.run(with_context, page="a")], list[Any])
    await ctx.start(function, number="3")  # error
    await ctx.run(with_context, pages="a").result()  # error
    ctx.map(function, 3)  # error
