"""What cannot be sent is told by its action, its place and its type."""

from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import pytest
from pydantic import BaseModel, ConfigDict, PlainSerializer, TypeAdapter, ValidationError

from tests.support.runs import call, opened, outcome
from yieldwire import ActionError, Stream, StreamableValue
from yieldwire.app import App
from yieldwire.log.misfit import invalid_output


class Moment:
    """Nothing that JSON knows."""


@dataclass
class Item:
    number: int
    when: object = None


class Row(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    name: Annotated[Moment, PlainSerializer(lambda _: "written")]
    when: Any = None


class Pair(NamedTuple):
    left: object
    right: object


def circular() -> list[object]:
    inner: list[object] = []
    inner.append({"inner": inner})
    return inner


def told(value: object) -> str:
    try:
        TypeAdapter(Any).dump_json(value)
    except Exception as exc:  # noqa: BLE001 - whatever it says
        return str(invalid_output("act", "chunk", value, exc))
    raise AssertionError("it can be written as JSON")


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (Moment(), "chunk is of the type tests.log.test_misfit.Moment,"),
        ([1, {"a b": (2, Moment())}], "chunk[1]['a b'][1] is of the type tests.log.test_misfit."),
        ({"items": [Item(1), Item(2, Moment())]}, "chunk.items[1].when is of the type "),
        ([Row(name=Moment()), Row(name=Moment(), when=Moment())], "chunk[1].when is of the type "),
        (Pair(1, Moment()), "chunk.right is of the type "),
        ({"tags": {Moment()}}, "chunk.tags{…} is of the type tests.log.test_misfit.Moment"),
        ({"tags": {Moment(): 1}}, "chunk.tags has a key of the type tests.log.test_misfit.Moment"),
        ([range(3)], "chunk[0] is of the type range,"),
        (deque([1, Moment()]), "chunk[1] is of the type "),
        ([ValueError("x")], "chunk[0] is of the type ValueError,"),
        (["fine", "\ud800"], "chunk[1] is a str that is not valid in UTF-8"),
        ([b"\xff"], "chunk[0] is a bytes that is not valid in UTF-8"),
        (circular(), "chunk[0].inner is a list that contains itself"),
        ({3: Moment()}, "chunk[3] is of the type "),
    ],
)
def test_the_place_and_the_type_of_what_json_cannot_say_are_told(value: object, place: str) -> None:
    assert told(value).startswith(f"act: {place}")


def test_a_place_that_is_very_deep_or_has_very_long_names_is_told_in_short() -> None:
    value: object = Moment()
    for _ in range(150):
        value = {"x" * 1000: value}

    assert len(told(value)) < 500


def test_a_value_that_does_not_fit_its_declared_type_is_told_by_its_place() -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(list[Item]).validate_python([{"number": "three"}])

    message = str(invalid_output("act", "result", None, caught.value))

    assert message.startswith("act: result[0].number does not match its declared type: Input")
    assert message.endswith("Its type is str.")


# Wherever an action gives it out.


async def in_async_generator() -> AsyncIterator[object]:
    yield {"when": Moment()}


def in_generator() -> Iterator[object]:
    yield {"when": Moment()}


async def in_stream(stream: Stream[object]) -> None:
    await stream.send({"when": Moment()})


async def in_value(value: StreamableValue[object]) -> None:
    value.update({"when": Moment()})


async def in_result() -> object:
    return {"when": Moment()}


def in_blocking_result() -> object:
    return {"when": Moment()}


async def in_error() -> None:
    raise ActionError("BAD", "m", data={"when": Moment()})


@pytest.mark.parametrize(
    ("function", "place"),
    [
        (in_async_generator, "chunk.when"),
        (in_generator, "chunk.when"),
        (in_stream, "chunk.when"),
        (in_value, "chunk.value.when"),
        (in_result, "result.when"),
        (in_blocking_result, "result.when"),
        (in_error, "error.data.when"),
    ],
)
async def test_debug_and_the_log_say_what_and_where_and_in_which_line(
    function: Callable[..., object], place: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(App(debug=True)) as app:
        kind, error = (await call(app, function)).end

    message = f"{function.__name__}: {place} is of the type tests.log.test_misfit.Moment"
    assert (kind, error["code"]) == ("error", "INTERNAL_ERROR")
    assert error["debug"]["type"] == "yieldwire.errors.usage.InvalidOutput"
    assert error["debug"]["message"].startswith(message)
    assert message in caplog.text
    assert f"in {function.__name__}\n" in error["debug"]["traceback"] + "\n"
    assert "/src/yieldwire/" not in error["debug"]["traceback"]


LONG = 10**4300


async def long_in_async_generator() -> AsyncIterator[object]:
    yield {"rows": [1, LONG]}


def long_in_generator() -> Iterator[object]:
    yield {"rows": [1, LONG]}


async def long_in_stream(stream: Stream[object]) -> None:
    await stream.send({"rows": [1, -LONG]})


async def long_in_result() -> object:
    return {"rows": [1, LONG]}


async def long_in_error() -> None:
    raise ActionError("BAD", "m", data={"rows": [1, LONG]})


def deep(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


async def deep_in_async_generator() -> AsyncIterator[object]:
    yield deep(191)


async def deep_in_result() -> object:
    return deep(191)


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (long_in_async_generator, "chunk.rows[1] has a number of more than 4300 digits"),
        (long_in_generator, "chunk.rows[1] has a number of more than 4300 digits"),
        (long_in_stream, "chunk.rows[1] has a number of more than 4300 digits"),
        (long_in_result, "result.rows[1] has a number of more than 4300 digits"),
        (long_in_error, "error.data.rows[1] has a number of more than 4300 digits"),
        (deep_in_async_generator, "chunk nests deeper than 190 levels"),
        (deep_in_result, "result nests deeper than 190 levels"),
    ],
)
async def test_what_could_be_written_but_not_read_back_is_refused(
    function: Callable[..., object], reason: str
) -> None:
    async with opened(App(debug=True)) as app:
        run = await app.start(app.action(function))
        kind, error = (await outcome(run)).end
        snapshot = await app.snapshot(run.id)

    assert (kind, error["code"], snapshot["status"]) == ("error", "INTERNAL_ERROR", "failed")
    message = f"{function.__name__}: {reason}, which cannot be read back."
    assert error["debug"]["message"] == message
    assert f"in {function.__name__}\n" in error["debug"]["traceback"] + "\n"


async def test_what_nests_as_deep_and_has_as_many_digits_as_can_be_read_is_sent() -> None:
    async def act() -> AsyncIterator[object]:
        yield deep(190)
        yield LONG - 1

    async with opened(App()) as app:
        run = await app.start(app.action(act))
        log = await outcome(run)
        snapshot = await app.snapshot(run.id)

    assert log.chunks == [deep(190), LONG - 1]
    assert snapshot["chunk"] == LONG - 1


@pytest.mark.parametrize("checks", [False, True])
async def test_a_chunk_is_told_the_same_way_where_chunks_are_checked(
    checks: bool,  # noqa: FBT001 - a test's parameter
) -> None:
    async def act() -> AsyncIterator[Item]:
        yield Item(1, when=Moment())

    async with opened(App(debug=True)) as app:
        app.checks_chunks = checks
        _, error = (await call(app, act)).end

    assert error["debug"]["message"].startswith("act: chunk.when is of the type ")


async def test_an_error_whose_data_cannot_be_written_ends_its_run_without_debug_too() -> None:
    async with opened(App()) as app:
        kind, error = (await call(app, in_error)).end

    assert (kind, error["code"]) == ("error", "INTERNAL_ERROR")
    assert "Moment" not in str(error)
