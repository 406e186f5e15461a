"""From events to the frames that one client gets."""

import logging
from collections.abc import Iterable

import pytest
from pydantic_core import to_json

from tests.dialects.test_fictive import ParrotEncoder
from yieldwire.asgi.exchange import BrokenOff
from yieldwire.dialects.translation import Counting, Translation, explained
from yieldwire.errors import ErrorObject, RunCancelled
from yieldwire.log.cursor import Cursor
from yieldwire.log.events import Block, Event, EventType

RUN = "rAAAAAAAAAAAAAAAAAAAA"
TWO = Block.of_chunks(RUN, 1, [b"1", b"2"])
END = Block.of_event(RUN, 3, EventType.DONE, b"{}")


class Picky(ParrotEncoder):
    """Cannot express the number 2."""

    closing = b"(end)"

    def begin(self, run_id: str) -> Iterable[bytes]:
        return [b"(begin)"]

    def chunk(self, event: Event) -> Iterable[bytes]:
        if event.value == 2:
            raise ValueError("no twos")
        return super().chunk(event)


class Plain(Picky):
    """Cannot tell an error."""

    tells_errors = False


def restarted(keep: int) -> Block:
    return Block.of_event(RUN, 3, EventType.RESTARTED, to_json({"attempt": 2, "keep": keep}))


def test_what_an_encoder_cannot_express_ends_the_stream_with_an_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    left: list[str] = []
    translation = Translation(Picky(), leave=lambda: left.append("left"))

    with caplog.at_level(logging.ERROR, "yieldwire.dialects"):
        sent = translation.encode(TWO)

    assert sent == b"+1\n.INTERNAL_ERROR\n(end)"
    assert (left, translation.encode(END), translation.farewell(1)) == (["left"], b"", b"")
    assert "no twos" in caplog.text


def test_a_format_without_errors_is_broken_off_instead() -> None:
    with pytest.raises(BrokenOff, match="Something went wrong on the server"):
        Translation(Plain()).encode(TWO)


def test_chunks_that_no_longer_count_end_the_stream_with_an_error() -> None:
    translation = Translation(ParrotEncoder())

    assert translation.encode(TWO) + translation.encode(restarted(1)) == b"+1\n+2\n.INTERRUPTED\n"


def test_a_restart_that_keeps_every_chunk_is_not_told() -> None:
    translation = Translation(ParrotEncoder())

    assert translation.encode(TWO) + translation.encode(restarted(2)) == b"+1\n+2\n"


def test_a_log_that_was_trimmed_meanwhile_ends_the_stream_with_an_error() -> None:
    assert Translation(ParrotEncoder()).reset(RUN, 7) == b".NOT_FOUND\n"


def test_an_end_before_the_run_is_broken_off_unless_the_format_can_tell() -> None:
    class Telling(ParrotEncoder):
        def cut(self, error: ErrorObject) -> Iterable[bytes]:
            return self.error(error)

    assert Translation(ParrotEncoder()).farewell(1) is None
    assert Translation(Telling()).farewell(1) == b".UNAVAILABLE\n"


def test_frames_are_skipped_as_the_client_counts_them() -> None:
    for skip, rest in enumerate([b"(begin)+1\n+3\n", b"+1\n+3\n", b"+3\n", b""]):
        translation = Translation(Picky(), skip=skip)
        odd = Block.of_chunks(RUN, 1, [b"1", b"3"])

        assert translation.opening(Cursor(RUN, 0), b"") + translation.encode(odd) == rest


def test_frames_are_counted_as_the_client_counts_them() -> None:
    counting = Counting(ParrotEncoder(), RUN)

    counting.encode(TWO)
    counting.encode(END)

    assert counting.count == 3


def test_an_open_question_is_asked_about_after_its_block() -> None:
    asked: list[str] = []
    translation = Translation(ParrotEncoder(), ask=lambda: asked.append("asked"))
    question = Block.of_event(RUN, 1, EventType.QUESTION, b'{"id":"1"}')
    answer = Block.of_event(RUN, 2, EventType.ANSWER, b'{"id":"1"}')

    translation.encode(Block.join([question, answer]))
    assert asked == []
    translation.encode(question)
    assert asked == ["asked"]


def test_a_run_that_asked_in_vain_says_so() -> None:
    told = explained(RunCancelled("unanswerable").error_object())

    assert told.message == "The run asked a question, which this client cannot answer."
    assert explained(RunCancelled().error_object()).message == "The run was cancelled."
