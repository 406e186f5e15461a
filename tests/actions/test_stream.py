"""What an action pushes its output to: streams, and values that change."""

import tracemalloc
from functools import partial
from typing import Any

import pytest

from yieldwire.actions.stream import Stream, StreamableValue
from yieldwire.errors import ActionError, LimitExceeded, UsageError
from yieldwire.log.chunks import Append, Value


class ListSink:
    """Keeps what was put, and how much of it was there at each drain."""

    def __init__(self) -> None:
        self.chunks: list[object] = []
        self.drained: list[int] = []

    def put(self, chunk: object, /) -> None:
        self.chunks.append(chunk)

    async def drain(self) -> None:
        self.drained.append(len(self.chunks))


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
