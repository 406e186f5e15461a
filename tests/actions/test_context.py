"""What an action can ask of its run, and what it cannot."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator, Coroutine
from functools import partial
from typing import Any, TypeVar

import pytest

from yieldwire.actions.context import Context, RequestFacts, Stream, StreamableValue
from yieldwire.actions.resource import Resource
from yieldwire.errors import ActionError, LimitExceeded, UsageError
from yieldwire.log.chunks import Append, Value

T = TypeVar("T")


class ListSink:
    """Keeps what was put, and how much of it was there at each drain."""

    def __init__(self) -> None:
        self.chunks: list[object] = []
        self.drained: list[int] = []

    def put(self, chunk: object, /) -> None:
        self.chunks.append(chunk)

    async def drain(self) -> None:
        self.drained.append(len(self.chunks))


class GroupAttempt:
    """Runs helpers in a task group."""

    def __init__(self, group: asyncio.TaskGroup, reason: str | None = None) -> None:
        self.cancel_reason = reason
        self._group = group

    def spawn(self, coroutine: Coroutine[Any, Any, T], /) -> "asyncio.Task[T]":
        return self._group.create_task(coroutine)


def context(running: GroupAttempt | None = None) -> Context:
    return Context(
        run_id="r1", action="a", owner=None, quota_key="c", request=RequestFacts(), running=running
    )


async def helper() -> int:
    return 3


async def pool() -> AsyncIterator[str]:
    yield "pool"


# The context.


def test_in_a_guard_no_attempt_has_begun() -> None:
    ctx = context()

    assert (ctx.attempt, ctx.state, ctx.labels, ctx.is_cancelled) == (0, {}, [], False)
    ctx.check_cancelled()


def test_what_needs_a_running_attempt_says_so_in_a_guard() -> None:
    ctx, coroutine = context(), helper()

    with pytest.raises(UsageError, match="running attempt"):
        ctx.spawn(coroutine)
    coroutine.close()


async def test_a_running_attempt_spawns_helpers() -> None:
    async with asyncio.TaskGroup() as group:
        ctx = context(GroupAttempt(group))
        task = ctx.spawn(helper())

    assert task.result() == 3


async def test_blocking_code_asks_whether_it_should_stop() -> None:
    async with asyncio.TaskGroup() as group:
        goes_on, stops = context(GroupAttempt(group)), context(GroupAttempt(group, "requested"))

        goes_on.check_cancelled()
        with pytest.raises(asyncio.CancelledError, match=r"^$"):
            stops.check_cancelled()

    assert (goes_on.is_cancelled, stops.is_cancelled) == (False, True)


def test_two_contexts_share_no_state() -> None:
    one, other = context(), context()

    one.state["n"] = 1
    one.labels.append("a")

    assert (other.state, other.labels) == ({}, [])


def test_a_resource_is_named_after_its_opener() -> None:
    assert Resource(pool).name == "pool"


# A stream.


async def test_a_stream_sends_chunks_in_order_and_waits_for_the_log() -> None:
    sink = ListSink()
    stream = Stream[int](sink)

    await stream.send(1)
    await stream.send(2)

    assert sink.chunks == [1, 2]
    assert sink.drained == [1, 2]


async def test_nothing_can_be_sent_on_a_closed_stream() -> None:
    sink = ListSink()
    stream = Stream[int](sink)

    stream.close()
    stream.close()

    with pytest.raises(UsageError, match="The stream is closed"):
        await stream.send(1)
    assert sink.chunks == []


# A streamable value.


def test_an_update_replaces_the_value() -> None:
    sink = ListSink()
    value = StreamableValue[dict[str, int]](sink)

    value.update({"a": 1})
    value.update({"a": 2})

    assert value.value == {"a": 2}
    assert sink.chunks == [Value({"a": 1}), Value({"a": 2})]


def test_a_value_is_none_before_the_first() -> None:
    assert StreamableValue[int](ListSink()).value is None


def test_appended_text_grows_the_value() -> None:
    sink = ListSink()
    value = StreamableValue[str](sink)

    value.append("a")
    value.append("b")
    grown = value.value
    value.update("x")
    value.append("y")

    assert (grown, value.value) == ("ab", "xy")
    assert sink.chunks == [Append("a"), Append("b"), Value("x"), Append("y")]


class FullSink(ListSink):
    """Has no room for a second chunk."""

    def put(self, chunk: object, /) -> None:
        if self.chunks:
            raise LimitExceeded("The log is full.")
        super().put(chunk)


def test_a_value_that_the_log_has_no_room_for_is_what_it_was() -> None:
    value = StreamableValue[str](FullSink())
    value.append("a")

    with pytest.raises(LimitExceeded, match="full"):
        value.append("b")
    with pytest.raises(LimitExceeded, match="full"):
        value.update("c")
    with pytest.raises(LimitExceeded, match="full"):
        value.done("d")

    assert value.value == "a"


class NoSink(ListSink):
    """Keeps nothing."""

    def put(self, chunk: object, /) -> None: ...


def test_text_that_grows_by_the_character_takes_about_its_length() -> None:
    value = StreamableValue[str](NoSink())

    tracemalloc.start()
    try:
        for n in range(200_000):
            value.append(chr(0x4E00 + n % 20_000))  # each a string of its own
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert taken < 10 * 200_000
    assert len(value.value or "") == 200_000


def test_a_value_that_is_not_text_does_not_grow() -> None:
    value = StreamableValue[Any](ListSink())

    for update in (1, None, ["a"]):
        value.update(update)

        with pytest.raises(UsageError, match="Only text can be appended to"):
            value.append("a")
        assert value.value == update


def test_done_can_bring_a_last_value() -> None:
    sink = ListSink()
    value = StreamableValue[int | None](sink)
    value.update(1)

    value.done(None)

    assert value.value is None
    assert sink.chunks == [Value(1), Value(None)]


def test_done_without_a_value_keeps_the_one_there_is() -> None:
    sink = ListSink()
    value = StreamableValue[int](sink)
    value.update(1)

    value.done()

    assert value.value == 1
    assert sink.chunks == [Value(1)]


@pytest.mark.parametrize("ending", ["done", "done with a value", "error"])
def test_a_value_that_is_done_changes_no_more(ending: str) -> None:
    sink = ListSink()
    value = StreamableValue[str](sink)
    value.append("a")
    if ending == "error":
        value.error("broken")
    else:
        value.done(*(["b"] if ending == "done with a value" else []))
    before, sent = value.value, list(sink.chunks)

    for misuse in (
        partial(value.update, "x"),
        partial(value.append, "x"),
        value.done,
        partial(value.done, "x"),
        partial(value.error, "x"),
    ):
        with pytest.raises(UsageError, match="The value is done"):
            misuse()

    assert (value.value, sink.chunks) == (before, sent)


def test_an_error_is_kept_for_when_the_action_returns() -> None:
    own = ActionError("OUT_OF_CREDIT", "No credit.")
    first, second = StreamableValue[int](ListSink()), StreamableValue[int](ListSink())

    first.error(own)
    second.error("It broke.")

    assert first.failure is own
    assert second.failure is not None
    assert (second.failure.code, str(second.failure)) == ("FAILED", "It broke.")
