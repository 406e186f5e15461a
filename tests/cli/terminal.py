"""The command line as a process of its own, and an application for it to serve and call."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.support.warm import Forked, Program, warm

APP = '''
import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Literal

from yieldwire import ActionError, Actions, Progress, RateLimited, Result, Text, Upload

actions = Actions()


@actions.action
async def count(to: int, message: str = "step") -> AsyncIterator[Progress | Result[dict[str, int]]]:
    """Count to a number.

    One by one.
    """
    for n in range(1, to + 1):
        yield Progress(n, total=to, message=f"{message} {n}")
    yield Result({"counted": to})


@actions.action
async def add(a: int, b: int = 1, kind: Literal["plain", "odd"] = "plain") -> int:
    return a + b


@actions.action
async def tell(words: list[str]) -> AsyncIterator[Text | dict[str, str]]:
    for word in words:
        yield Text(word + " ")
    yield {"last": words[-1]}
    yield Text("end")


@actions.action
def load(file: Upload) -> Iterator[Text]:
    yield Text(file.file.read().decode())


@actions.action
async def fail(late: bool = False) -> AsyncIterator[Text]:
    if late:
        yield Text("begun")
    raise ActionError("NO_STOCK", "Sold out.", status=402, data={"left": 0})


@actions.action
async def fail_late() -> AsyncIterator[Text]:
    yield Text("begun")
    raise ActionError("NO_STOCK", "Sold out.", status=402)


@actions.action
async def crash() -> AsyncIterator[Text]:
    raise KeyError("secret")
    yield


async def never(ctx: object) -> None:
    raise RateLimited("Not today.", retry_after=3600)


@actions.action(guards=[never])
async def closed() -> None: ...


@actions.feed
async def feed(n: int) -> AsyncIterator[int]:
    for number in range(n):
        yield number


@actions.action(linger=None)
async def wait() -> AsyncIterator[str]:
    yield "waiting\\n"
    await asyncio.Event().wait()


@actions.action
async def cling() -> AsyncIterator[str]:
    try:
        yield "waiting\\n"
        await asyncio.Event().wait()
    finally:
        await asyncio.Event().wait()
'''


Start = Callable[[int, int], "subprocess.Popen[bytes] | Forked"]
"""Starts a process that writes to these two descriptors."""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


class Lines:
    """What a process writes, kept as it comes."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream, self._lines = stream, list[str]()
        self._changed = threading.Condition()
        self._is_over = False
        self._read_by = threading.Thread(target=self._read)
        self._read_by.start()

    def _read(self) -> None:
        for line in self._stream:
            with self._changed:
                self._lines.append(line)
                self._changed.notify_all()
        self._stream.close()
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    def find(self, text: str, start: int) -> tuple[int, str] | None:
        """Wait for a line from ``start`` on that has ``text``; return its number with it."""
        with self._changed:
            while True:
                for number, line in enumerate(self._lines[start:], start):
                    if text in line:
                        return number, line.rstrip("\n")
                if self._is_over:
                    return None
                self._changed.wait()

    def all(self) -> str:
        """Wait for the end, and return everything."""
        self._read_by.join()
        return "".join(self._lines)


class Command:
    """A command while it runs."""

    def __init__(self, start: Start) -> None:
        (out, to_out), (err, to_err) = os.pipe(), os.pipe()
        try:
            self._process = start(to_out, to_err)
        finally:
            os.close(to_out)
            os.close(to_err)
        self._out, self._err = (Lines(os.fdopen(each, encoding="utf-8")) for each in (out, err))
        self._seen = dict.fromkeys((self._out, self._err), 0)

    def wait_for(self, text: str) -> str:
        """Read stdout up to a line that has ``text``, and return that line."""
        return self._find(self._out, text)

    def wait_for_note(self, text: str) -> str:
        """Read stderr up to a line that has ``text``, and return that line."""
        return self._find(self._err, text)

    def _find(self, lines: Lines, text: str) -> str:
        found = lines.find(text, self._seen[lines])
        assert found is not None, f"{text!r} did not come: {self.finish()}"
        self._seen[lines] = found[0] + 1
        return found[1]

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def interrupt(self) -> None:
        self.send(signal.SIGINT)

    def terminate(self) -> None:
        self.send(signal.SIGTERM)

    def finish(self, timeout: float = 30) -> Ended:
        """Wait for the end, and return everything that was written."""
        code = self._process.wait(timeout)
        return Ended(code=code, out=self._out.all(), err=self._err.all())

    def kill(self) -> None:
        """End it, if it has not ended."""
        if self._process.poll() is None:
            self._process.kill()
        self.finish()


@contextmanager
def running(*arguments: str, cwd: Path, **env: str) -> Generator[Command, None, None]:
    """Run a command of the program, in a process that `Warm` becomes."""
    program = Program(
        module="yieldwire.cli", arguments=arguments, cwd=str(cwd), env={**os.environ, **env}
    )

    def start(out: int, err: int) -> Forked:
        return warm().start(program, out, err)

    command = Command(start)
    try:
        yield command
    finally:
        command.kill()


def run(*arguments: str, cwd: Path, **env: str) -> Ended:
    """Run a command to its end."""
    with running(*arguments, cwd=cwd, **env) as command:
        return command.finish()


def run_unread(*arguments: str, cwd: Path, is_told: bool = True) -> tuple[int, str]:
    """Run a command whose output nobody reads, and its messages only where ``is_told``.

    Return its exit code and its messages.
    """
    program = Program(module="yieldwire.cli", arguments=arguments, cwd=str(cwd), env={**os.environ})
    (unread, to_nobody), (err, to_err) = os.pipe(), os.pipe()
    os.close(unread)
    process = warm().start(program, to_nobody, to_err if is_told else to_nobody)
    for each in (to_nobody, to_err):
        os.close(each)
    with os.fdopen(err, encoding="utf-8") as messages:
        said = messages.read()
    return process.wait(30), said


def run_python(*arguments: str, cwd: Path) -> Ended:
    """Run Python itself to its end."""

    def start(out: int, err: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, *arguments], cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )

    return Command(start).finish()
