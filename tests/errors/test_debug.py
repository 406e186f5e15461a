"""What development shows of an unexpected exception."""

import contextlib
import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator

import pytest

from tests.support.runs import call, opened
from yieldwire import Context, Stream
from yieldwire.app import App
from yieldwire.errors import Json
from yieldwire.errors.debug import (
    MESSAGE_BYTES,
    TRACEBACK_BYTES,
    at_yield,
    cut,
    debug_of,
    place_of,
    traceback_of,
)


def caught(function: Callable[[], object]) -> BaseException:
    try:
        function()
    except BaseException as exc:  # noqa: BLE001 - whatever it is
        return exc
    raise AssertionError("nothing was raised")


def fails() -> None:
    raise KeyError("lost")


def functions_in(text: str) -> list[str]:
    return re.findall(r'File ".*", line \d+, in (\S+)', text)


async def debug_sent_of(function: Callable[..., object]) -> Json:
    async with opened(App(debug=True)) as app:
        return (await call(app, function)).end[1]["debug"]


# Where a traceback begins.


async def in_async_generator(ctx: Context) -> AsyncIterator[int]:
    yield 1
    fails()


def in_generator() -> Iterator[int]:
    yield 1
    fails()


async def in_function() -> None:
    fails()


def in_blocking_function() -> None:
    fails()


async def in_stream(stream: Stream[int]) -> None:
    await stream.send(1)
    fails()


@pytest.mark.parametrize(
    "function", [in_async_generator, in_generator, in_function, in_blocking_function, in_stream]
)
async def test_a_traceback_begins_in_the_action_whatever_its_shape(
    function: Callable[..., object],
) -> None:
    debug = await debug_sent_of(function)

    assert (debug["type"], debug["message"]) == ("KeyError", "'lost'")
    assert functions_in(debug["traceback"]) == [function.__name__, "fails"]


async def test_a_traceback_through_an_around_has_no_frame_of_the_machinery() -> None:
    async def session(ctx: Context) -> AsyncGenerator[None, None]:
        yield

    async with opened(App(debug=True, middleware=[session])) as app:
        debug = (await call(app, in_async_generator)).end[1]["debug"]

    assert functions_in(debug["traceback"]) == ["in_async_generator", "fails"]


async def test_a_helper_that_fails_is_told_from_its_own_code() -> None:
    async def helper() -> None:
        fails()

    async def act(ctx: Context) -> AsyncIterator[int]:
        ctx.spawn(helper())
        yield 1

    debug = await debug_sent_of(act)

    assert functions_in(debug["traceback"]) == ["helper", "fails"]


async def test_what_the_framework_refuses_is_told_where_it_was_asked() -> None:
    async def act(stream: Stream[int]) -> None:
        stream.close()
        await stream.send(1)

    debug = await debug_sent_of(act)

    assert debug["type"] == "yieldwire.errors.usage.UsageError"
    assert functions_in(debug["traceback"]) == ["act"]


async def test_a_logged_traceback_begins_in_the_users_code_without_debug_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with opened(App()) as app:
        end = (await call(app, in_async_generator)).end

    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    told = logging.Formatter().format(record)
    assert functions_in(told) == ["in_async_generator", "fails"]
    assert "debug" not in end[1]


def test_a_fault_of_the_package_itself_keeps_its_whole_traceback() -> None:
    error = caught(lambda: App().action(lambda: None))
    error.__traceback__ = error.__traceback__.tb_next if error.__traceback__ else None
    error.__traceback__ = error.__traceback__.tb_next if error.__traceback__ else None

    assert functions_in(traceback_of(error)) == ["__call__", "_declared", "__init__", "_check"]


def test_a_syntax_error_says_its_own_place_and_nothing_above_it() -> None:
    error = SyntaxError("invalid syntax", ("served.py", 3, 1, "def", 3, 4))

    told = traceback_of(error)

    assert 'File "served.py", line 3' in told


def test_an_error_in_code_that_another_library_calls_keeps_that_librarys_frames() -> None:
    def act() -> object:
        with contextlib.ExitStack() as stack:
            stack.callback(fails)
        return None

    assert functions_in(traceback_of(caught(act)))[:2] == ["caught", "act"]


# Chains and groups.


def test_causes_and_contexts_begin_in_the_users_code_too() -> None:
    def act() -> None:
        try:
            fails()
        except KeyError as exc:
            raise ValueError("no price") from exc

    told = traceback_of(caught(act))

    assert told.index("KeyError: 'lost'") < told.index("direct cause") < told.index("no price")


async def test_a_group_is_shown_with_each_of_its_errors() -> None:
    async def act() -> None:
        raise ExceptionGroup("two", [KeyError("a"), ValueError("b")])

    debug = await debug_sent_of(act)

    assert debug["type"] == "ExceptionGroup"
    assert "KeyError: 'a'" in debug["traceback"]
    assert "ValueError: b" in debug["traceback"]


async def test_groups_and_causes_of_any_depth_end_the_run() -> None:
    async def nested() -> None:
        error: Exception = ValueError("x")
        for _ in range(5000):
            members: list[Exception] = [error, KeyError("k")]
            error = ExceptionGroup("g", members)
        raise error

    async def chained() -> None:
        error: Exception = ValueError("x")
        for _ in range(5000):
            error, error.__cause__ = ValueError("y"), error
        error.__cause__ = error
        raise error

    for act in (nested, chained):
        debug = await debug_sent_of(act)

        assert len(debug["traceback"].encode()) <= TRACEBACK_BYTES


def test_an_error_that_is_its_own_cause_is_shown_once() -> None:
    error = caught(fails)
    error.__cause__ = error.__context__ = error

    assert traceback_of(cut(error)).count("KeyError: 'lost'") == 1


# What cannot be shown as it is.


class Silent(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")


class Quits(Exception):
    def __str__(self) -> str:
        raise SystemExit(1)


class Wrong(Exception):
    def __str__(self) -> str:
        return 3  # type: ignore[return-value]  # noqa: PLE0307 - that is what is wrong with it


@pytest.mark.parametrize("kind", [Silent, Quits, Wrong])
async def test_an_error_whose_message_cannot_be_read_is_shown_by_its_type(
    kind: type[Exception],
) -> None:
    async def act() -> None:
        raise kind

    debug = await debug_sent_of(act)

    assert debug["type"].endswith(kind.__name__)
    assert debug["message"].startswith("(its message cannot be read")
    assert kind.__name__ in debug["traceback"]


@pytest.mark.parametrize("text", ["x" * 10_000_000, "é" * 1_000_000, "\ud800" * 100_000])
def test_a_huge_message_is_shown_within_bounds_by_its_two_ends(text: str) -> None:
    debug = debug_of(ValueError(f"begin {text} end"))

    assert len(debug["message"].encode()) <= MESSAGE_BYTES
    assert len(debug["traceback"].encode()) <= TRACEBACK_BYTES
    assert debug["message"].startswith("begin ")
    assert debug["message"].endswith(" end")


def test_a_message_that_utf8_cannot_say_is_shown_escaped() -> None:
    assert debug_of(ValueError("a\ud800b"))["message"] == "a\\ud800b"


# Places.


def test_a_suspended_generator_gives_the_line_of_its_yield() -> None:
    def give() -> Iterator[int]:
        yield 1

    generator = give()
    next(generator)
    error = at_yield(ValueError("bad chunk"), generator)

    assert functions_in(traceback_of(error)) == ["give"]
    assert "yield 1" in traceback_of(error)


def test_a_generator_that_has_ended_gives_no_place() -> None:
    def give() -> Iterator[int]:
        yield 1

    generator = give()
    list(generator)

    assert at_yield(ValueError("x"), generator).__traceback__ is None


def test_a_place_is_written_as_in_a_traceback() -> None:
    assert functions_in(place_of(fails)) == ["fails"]
    assert "print" in place_of(print)
