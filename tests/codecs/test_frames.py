"""Frames are made once for all readers, and never handed to the wrong one."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from yieldwire import codecs
from yieldwire.codecs import Frames
from yieldwire.log.events import Block


class Maker:
    """Makes frames, and counts how often."""

    def __init__(self) -> None:
        self.made = 0
        self.frames = Frames(self.make)

    def make(self, block: Block) -> bytes:
        self.made += 1
        return b"frames of " + block.body

    @property
    def of(self) -> Callable[[Block], bytes]:
        return self.frames.of


def block_of(first: int, text: bytes = b"1", run_id: str = "r1") -> Block:
    return Block.of_chunks(run_id, first, [text] * 5_000)


def test_the_frames_of_a_small_block_are_not_kept() -> None:
    maker, block = Maker(), Block.of_chunks("r1", 1, [b"1", b"2"])

    assert maker.of(block) == b"frames of " + block.body
    assert maker.frames.kept_bytes == 0


def test_what_was_made_of_a_block_is_handed_to_all_who_read_it() -> None:
    maker = Maker()

    made = {
        id(maker.of(block)) for block in [block_of(1), block_of(1), replace(block_of(1), at=3.0)]
    }

    assert len(made) == maker.made == 1


@pytest.mark.parametrize("other", [block_of(2), block_of(1, b"2"), block_of(1, run_id="r2")])
def test_another_block_has_frames_of_its_own(other: Block) -> None:
    maker = Maker()
    maker.of(block_of(1))

    assert maker.of(other) == b"frames of " + other.body
    assert maker.made == 2


def test_what_is_kept_is_bounded_in_bytes_and_the_newest_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(codecs, "KEPT_BYTES", 100_000)
    maker, text = Maker(), b"1" * 2

    for first in range(1, 101):
        maker.of(block_of(first, text))

    assert maker.frames.kept_bytes <= 2 * 100_000 + 25_000
    maker.of(block_of(100, text))
    assert maker.made == 100
    maker.of(block_of(1, text))
    assert maker.made == 101
