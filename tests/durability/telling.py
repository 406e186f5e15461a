"""A process that is killed while messages and saved places are written."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from yieldwire.errors import AlreadyAnswered
from yieldwire.log.message import Message
from yieldwire.stores.sqlite import SQLiteStore


@dataclass(kw_only=True)
class Told:
    """What the process said was acknowledged, before it was killed."""

    run_id: str = ""
    sent: dict[int, str] = field(default_factory=dict)
    saved: int = 0


def killed_while_telling(path: Path, lines: int) -> Told:
    """Start the process, kill it when it has told so much, and return all that it told."""
    program = [sys.executable, "-m", "tests.support.telling", str(path)]
    with Popen(program, stdout=PIPE) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        said += process.stdout.readlines()
    assert process.returncode == -9, "the program stopped before it was killed"
    return _told(line.decode().split() for line in said if line.endswith(b"\n"))


def _told(lines: Iterator[list[str]]) -> Told:
    told = Told()
    for what, which, name in lines:
        if what == "run":
            told.run_id = which
        elif what == "sent":
            assert int(which) not in told.sent, "two messages with one number"
            told.sent[int(which)] = name
        else:
            told.saved = int(which)
    return told


async def check(path: Path, told: Told) -> int:
    """Check that the file has what was acknowledged, and return how many messages it has."""
    store = SQLiteStore(path)
    try:
        messages = await store.inbox(told.run_id, 0)
        assert [message.number for message in messages] == [*range(1, len(messages) + 1)]
        kept = {message.number: message.data.decode() for message in messages}
        assert told.sent.items() <= kept.items(), "an acknowledged message is lost"
        await _check_repeats(store, told, messages[-1])
        run = await store.get(told.run_id)
        assert told.saved <= run.saved_seq <= run.seq, "an acknowledged place is lost"
        if run.saved_seq:
            assert await store.saved(run.id) == {"saved": b"%d" % run.saved_seq}
        return len(messages)
    finally:
        await store.close()


async def _check_repeats(store: SQLiteStore, told: Told, last: Message) -> None:
    """A sender that got no answer asks again, and somebody else answers the same question."""
    again = await store.send(told.run_id, last, most=0, most_bytes=0)
    assert again == last
    for number, name in told.sent.items():
        if int(name.partition("-")[2]) % 2:
            late = Message(0, b"late", name)
            with pytest.raises(AlreadyAnswered, match="already") as refused:
                await store.send(told.run_id, late, most=100_000, most_bytes=10_000_000)
            assert refused.value.answer is not None
            assert refused.value.answer.number == number
            break
