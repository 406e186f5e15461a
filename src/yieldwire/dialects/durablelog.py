"""Who has appended to a stream, by its log: producers, and sequences.

An append by an idempotent producer, or with a sequence, has a chunk before its messages, in the
same block, which says so. So whether an append is a repeat is as durable as its messages.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Self

from pydantic_core import from_json, to_json

from yieldwire.dialects.durablestream import MARK
from yieldwire.errors import Json, ParseError
from yieldwire.log.events import Block, EventType

_NUMBER_DIGITS: Final = 15
_PRODUCER: Final = ("producer-id", "producer-epoch", "producer-seq")


class StreamProducer(NamedTuple):
    """An append as an idempotent producer numbers it."""

    id: str
    epoch: int
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendHead:
    """What the headers of an append say about it."""

    producer: StreamProducer | None
    sequence: str | None
    closes: bool

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Self:
        """Return what the headers say.

        Raises:
            ParseError: If a producer's are incomplete or invalid.
        """
        sent = [headers.get(name) for name in _PRODUCER]
        producer = None
        if any(value is not None for value in sent):
            id_, epoch, seq = sent
            if not id_ or epoch is None or seq is None:
                raise ParseError(f"A producer sends {', '.join(_PRODUCER)}.")
            producer = StreamProducer(id_, _number(epoch), _number(seq))
        closes = headers.get("stream-closed", "").lower() == "true"
        return cls(producer=producer, sequence=headers.get("stream-seq"), closes=closes)

    def mark(self) -> list[bytes]:
        """Return the chunk before the messages, if there has to be one."""
        said: dict[str, Json] = {}
        if self.producer is not None:
            said["producer"] = self.producer
        if self.sequence is not None:
            said["sequence"] = self.sequence
        return [to_json({"type": MARK, **said})] if said else []


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Why an append is not one: the status, and the headers that say what was expected."""

    status: int
    message: str
    headers: tuple[tuple[str, str], ...] = ()


class StreamLog:
    """What a log says about its appends, up to event ``seq``; ``size`` is its bytes."""

    def __init__(self) -> None:
        self.seq: int = 0
        self.size: int = 0
        self.is_closed: bool = False
        self._producers: dict[str, StreamProducer] = {}
        self._sequence: str | None = None

    def read(self, page: Iterable[Block]) -> None:
        """Add the events of a page."""
        mark = b'{"type":"%b"' % MARK.encode()
        for whole in page:
            if whole.last <= self.seq:
                continue
            block = whole.after(self.seq)
            self.size += len(block.body)
            self.seq, self.is_closed = block.last, block.end is not None
            if mark in block.body:
                for event in block.events():
                    if event.type is EventType.CHUNK and event.data.startswith(mark):
                        self._note(from_json(event.data))

    def _note(self, said: Any) -> None:  # noqa: ANN401 - JSON
        if "producer" in said:
            producer = StreamProducer(*said["producer"])
            self._producers[producer.id] = producer
        self._sequence = said.get("sequence", self._sequence)

    def newest(self, producer: StreamProducer) -> StreamProducer:
        """Return the last append of a producer that was accepted, in its epoch."""
        return self._producers[producer.id]

    def judge(self, append: AppendHead, *, is_empty: bool) -> Verdict | None:
        """Return why an append is not one; the status 204 is that of a repeat."""
        return self._judge_producer(append.producer) or self._judge_order(append, is_empty=is_empty)

    def _judge_producer(self, sent: StreamProducer | None) -> Verdict | None:
        if sent is None:
            return None
        known = self._producers.get(sent.id)
        if known is not None and sent.epoch < known.epoch:
            epoch = ("producer-epoch", str(known.epoch))
            return Verdict(status=403, message="The epoch is over.", headers=(epoch,))
        if known is not None and sent.epoch == known.epoch:
            if sent.seq <= known.seq:
                return Verdict(status=204, message="It was accepted before.")
            expected = known.seq + 1
        else:
            expected = 0
            if known is not None and sent.seq != 0:
                return Verdict(status=400, message="A new epoch begins with the sequence 0.")
        if sent.seq == expected:
            return None
        headers = (
            ("producer-expected-seq", str(expected)),
            ("producer-received-seq", str(sent.seq)),
        )
        return Verdict(status=409, message="An append before this one is missing.", headers=headers)

    def _judge_order(self, append: AppendHead, *, is_empty: bool) -> Verdict | None:
        if self.is_closed:
            if is_empty and append.producer is None:
                return Verdict(status=204, message="It was closed before.")
            closed = (("stream-closed", "true"),)
            return Verdict(status=409, message="The stream is closed.", headers=closed)
        known = self._sequence
        if append.sequence is not None and known is not None and append.sequence <= known:
            return Verdict(status=409, message="The Stream-Seq is not behind the last one.")
        return None


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _NUMBER_DIGITS):
        raise ParseError(f"{text!r:.30} is not a number of a producer.")
    return int(text)
