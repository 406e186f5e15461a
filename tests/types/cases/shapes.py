"""What `@actions.action` makes of each shape; `# error` marks what must not type-check."""

from collections.abc import AsyncIterator, Generator, Iterator
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


@actions.action(linger=None, timeout=30.0, labels=("a", "b"))
async def with_options(number: int) -> str:
    return str(number)


@actions.action(method="GET", shared=True, keep=100)
def feed(symbol: str) -> Generator[float, None, int]:
    yield 1.0
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
    assert_type(await actions.start(generator_with_result, {"rows": 3}), Run[list[str]])
    assert_type(await (await actions.start(stream_function)).result(), int)
    assert_type(await (await actions.start(async_function)).result(), dict[str, int])
    assert_type(await (await actions.start(with_options)).result(), str)
    assert_type(await (await actions.start(feed)).result(), int)
    number: int = await (await actions.start(with_options)).result()  # error
    await actions.start(with_options, 3)  # error
    await actions.start(call_the_functions)  # error
    await actions.start(async_function, {"number": number})


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
