"""What the shell offers after a press of the Tab key: actions, fields, and the ids of runs.

A completion must not disturb: it takes about `SECONDS` at most, writes nothing, and is empty if
anything goes wrong.
"""

import asyncio
import os
import re
import signal
import sys
from collections.abc import Awaitable, Callable, Generator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

from yieldwire.cli.target import Target, address_of, connect, names_of, target_of
from yieldwire.client import AsyncClient, Patience
from yieldwire.describe.schema import Field, definitions_of, properties_of
from yieldwire.errors import Json

T = TypeVar("T")

SECONDS: Final = 1.5
"""How long a completion can take, with the import of an application or the answer of a server."""
LISTED: Final = 50
"""How many of the newest runs are offered."""
_BRIEF: Final = Patience(tries=1, request=SECONDS, idle=SECONDS)
_SPLIT: Final = re.compile(r"\s+([:=]+)(?:\s+|$)")

Offer: TypeAlias = tuple[str, str]
"""A word, and what it is."""


class _Late(BaseException):
    """The time is over. Not an `Exception`: the code of an application can catch those."""


def actions_offered(params: Mapping[str, Any], incomplete: str) -> Sequence[Offer]:
    """Return the actions of the target whose names begin with what is typed."""
    found = _asked(params, lambda target: target.manifest())
    return [
        (one["name"], one["doc"].partition("\n")[0])
        for one in found or ()
        if one["name"].startswith(incomplete)
    ]


def fields_offered(
    params: Mapping[str, Any], given: Sequence[str], incomplete: str
) -> Sequence[Offer]:
    """Return the fields of the action's input that are not given yet, each in two ways to write it.

    Two, because a shell adds a space after the only one, and a value follows.
    """
    if "=" in incomplete:
        return []
    actions = _asked(params, lambda target: target.manifest()) or ()
    schema = next((one["input"] for one in actions if params["action"] in names_of(one)), None)
    if schema is None:
        return []
    definitions, offers = definitions_of(schema), list[Offer]()
    known = {re.split(r":?=", word)[0] for word in given}
    for name, described in properties_of(schema).items():
        field = Field.of(described, definitions)
        if name.startswith(incomplete) and (name not in known or "array" in field.kinds):
            ways = ("=@", "=") if field.takes_file else ("=", ":=")
            offers += [(f"{name}{way}", described.get("description", "")) for way in ways]
    return offers


def runs_offered(
    params: Mapping[str, Any], incomplete: str, *, is_active: bool = False
) -> Sequence[Offer]:
    """Return the ids of the newest runs, or of those that run, that begin with what is typed."""

    async def listed(client: AsyncClient) -> Sequence[Mapping[str, Json]]:
        page = await client.list(limit=LISTED, status="running" if is_active else None)
        runs: Sequence[Mapping[str, Json]] = page["runs"]
        return runs

    found = _asked_server(params, listed)
    return [
        (run["id"], f"{run['action']}, {run['status']}")
        for run in found or ()
        if run["id"].startswith(incomplete)
    ]


def rejoin_words(env: MutableMapping[str, str]) -> None:
    """Join the words that Bash has split at colons and equals signs, as in a URL."""
    if env.get("_YIELDWIRE_COMPLETE") != "complete_bash":
        return
    words, place = env.get("COMP_WORDS", "").split("\n"), int(env.get("COMP_CWORD", "0"))
    before = _SPLIT.sub(r"\1", "\n".join(words[:place]) + "\n")
    env["COMP_WORDS"] = before + "\n".join(words[place : place + 1])
    env["COMP_CWORD"] = str(before.count("\n"))


def _asked(params: Mapping[str, Any], ask: Callable[[Target], Awaitable[T]]) -> T | None:
    def work() -> T:
        address = address_of(params["target"], params.get("token"), params.get("header"))
        opening = target_of(replace(address, patience=_BRIEF))

        async def opened() -> T:
            async with opening as target:
                return await ask(target)

        return asyncio.run(opened())

    return _undisturbed(work)


def _asked_server(
    params: Mapping[str, Any], ask: Callable[[AsyncClient], Awaitable[T]]
) -> T | None:
    def work() -> T:
        address = address_of(params["url"], params.get("token"), params.get("header"))

        async def connected() -> T:
            async with connect(replace(address, patience=_BRIEF)) as client:
                return await ask(client)

        return asyncio.run(connected())

    return _undisturbed(work)


def _undisturbed(work: Callable[[], T]) -> T | None:
    """Return what ``work`` returns, or ``None``, without a word, if it fails or takes too long."""
    with (
        suppress(Exception, _Late, SystemExit),
        Path(os.devnull).open("w", encoding="utf-8") as nowhere,
        redirect_stdout(nowhere),
        redirect_stderr(nowhere),
        _in_time(),
    ):
        return work()
    return None


@contextmanager
def _in_time() -> Generator[None, None, None]:
    if sys.platform == "win32":  # it has no such signal: only a server's answer is limited
        yield
        return

    def end(*_: object) -> None:
        raise _Late

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
