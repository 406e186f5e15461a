"""Processes tell each other in few notifications which runs have something new."""

import asyncio
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from yieldwire.log.run import new_run_id
from yieldwire.stores.postgres.news import Telling, payloads, told
from yieldwire.stores.postgres.text import escaped, unescaped
from yieldwire.stores.work import Works

IDS = st.integers(0, 2_000).map(lambda number: f"r{number:020}")


@given(st.dictionaries(IDS, st.none() | st.integers(0, 2**40), max_size=600))
def test_news_is_read_as_it_was_told(news: dict[str, int | None]) -> None:
    read: dict[str, int | None] = {}

    lines = [*payloads("sender", news)]
    for line in lines:
        assert len(line.encode()) < 8_000
        sender, part = told(line)
        assert sender == "sender"
        read |= part

    assert read == news


def test_what_cannot_be_read_is_ignored() -> None:
    assert told("x r1:abc r2:3 r4") == ("x", {"r2": 3, "r4": None})


async def test_the_first_news_is_told_at_once_and_what_follows_together() -> None:
    sent, works, one, other = list[Sequence[str]](), Works(), new_run_id(), new_run_id()

    async def send(lines: Sequence[str]) -> None:
        sent.append(lines)

    telling = Telling("me", send, works.start)
    telling.tell(one, 1)
    await asyncio.sleep(0)
    await works.wait()
    first = [*sent]
    telling.tell(one, 3)
    telling.tell(one, 2)
    telling.tell(other)
    telling.tell(other, 9)
    telling.close()
    await works.wait()

    assert first == [[f"me {one}:1"]]
    assert sent[1:] == [[f"me {one}:3 {other}"]]


@given(st.text())
def test_a_text_with_nul_characters_is_read_as_it_was_written(text: str) -> None:
    assert "\0" not in escaped(text)
    assert unescaped(escaped(text)) == text


@given(st.text(alphabet="\0\x1a01a"))
def test_escapes_in_a_text_are_not_mistaken(text: str) -> None:
    assert unescaped(escaped(text)) == text
