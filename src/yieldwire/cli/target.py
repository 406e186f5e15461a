"""The target of a command: an application in a file, or one at a URL."""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from yieldwire.app import App
from yieldwire.cli.output import note
from yieldwire.cli.source import is_url, load
from yieldwire.client import AsyncClient, Patience
from yieldwire.client.body import OnUpload
from yieldwire.describe.manifest import description_of
from yieldwire.errors import Json, NotFound, UsageError
from yieldwire.log.events import Event


def _tell(trouble: str, seconds: float) -> None:
    note(f"{trouble.rstrip('.')}; retrying in {seconds:.1f} s.")


PATIENCE: Final = Patience(tries=5, longest_wait=10.0, notice=_tell)
"""A person at a terminal is told after a few seconds that a server is away, and is not made to
wait for long."""


_HEADER: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*:[ \t]*([\t -~]*)")
"""RFC 9110, 5: a name that is a token, and a value in one line."""

GRACE: Final = 1.0
"""Seconds for leftovers of a run in this process, such as a thread that does not check."""


class ShownRun(Protocol):
    """A run shown in a terminal."""

    @property
    def id(self) -> str:
        """The run's id."""
        ...

    def events(self) -> AsyncIterator[Event]:
        """Yield its events, up to the terminal one."""
        ...

    async def waiting(self) -> Mapping[str, Json] | None:
        """Return where it waits, if it does."""
        ...

    async def cancel(self) -> object:
        """Ask it to stop."""
        ...

    async def answer(self, question: str, value: object, /) -> object:
        """Answer a question."""
        ...

    async def snapshot(self) -> dict[str, Json]:
        """Return its state."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to call, and with which credentials."""

    target: str
    token: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    patience: Patience = field(default_factory=lambda: PATIENCE)


def address_of(target: str, token: str | None, headers: Sequence[str] | None) -> Address:
    """Return where to call, with headers given as ``Name: value``.

    Raises:
        UsageError: If one is not a header.
    """
    named: dict[str, str] = {}
    for header in headers or []:
        parts = _HEADER.fullmatch(header.strip())
        if parts is None:
            raise UsageError(f"{header!r} is not a header; write 'Name: value'.")
        named[parts[1]] = parts[2]
    return Address(target=target, token=token, headers=named)


class Target(Protocol):
    """The actions of a target."""

    async def manifest(self) -> Sequence[dict[str, Json]]:
        """Return the actions."""
        ...

    async def start(
        self,
        action: dict[str, Json],
        input: Mapping[str, object],
        *,
        detached: bool,
        webhook: str | None,
        on_upload: OnUpload | None = None,
    ) -> ShownRun:
        """Start a run of an action in the `manifest`; ``on_upload`` is told what is sent."""
        ...


def target_of(address: Address) -> AbstractAsyncContextManager[Target]:
    """Return an opener for the application in a file, or for a client of the one at a URL.

    A file is imported here: outside of any event loop, as its own code can require.
    """
    return _remote(address) if is_url(address.target) else _local(load(address.target).app)


@asynccontextmanager
async def _remote(address: Address) -> AsyncGenerator[Target, None]:
    async with connect(address) as client:
        yield _Remote(client)


@asynccontextmanager
async def _local(app: App) -> AsyncGenerator[Target, None]:
    app.timing = replace(app.timing, grace=GRACE)
    local = _Local(app)
    try:
        yield local
    finally:
        await local.close()


@asynccontextmanager
async def connect(address: Address) -> AsyncGenerator[AsyncClient, None]:
    """Open a client of the application at a URL.

    Raises:
        UsageError: If it is a file.
    """
    if not is_url(address.target):
        raise UsageError(
            f"{address.target!r} is not a URL; name the URL where the runs are served."
        )
    async with AsyncClient(
        address.target, token=address.token, headers=address.headers, patience=address.patience
    ) as client:
        yield client


def names_of(action: dict[str, Json]) -> Collection[str]:
    """Return the names of an action in the `manifest`: Python's, and in camelCase."""
    return {action["name"], action["alias"]}


def find_action(actions: Sequence[dict[str, Json]], name: str) -> dict[str, Json]:
    """Return the action of that name, Python's or camelCase.

    Raises:
        NotFound: If it does not exist; the message lists the existing ones.
    """
    for action in actions:
        if name in names_of(action):
            return action
    known = ", ".join(action["name"] for action in actions) or "none"
    raise NotFound(f"There is no action {name!r}; the actions are: {known}.")


class _Local:
    def __init__(self, app: App) -> None:
        self._app = app
        self._run: ShownRun | None = None

    async def close(self) -> None:
        if self._run is not None:
            await self._run.cancel()  # nobody could reach it after this process has ended
        await self._app.close()

    async def manifest(self) -> Sequence[dict[str, Json]]:
        return list(map(description_of, self._app.registry.actions))

    async def start(
        self,
        action: dict[str, Json],
        input: Mapping[str, object],
        *,
        detached: bool,
        webhook: str | None,
        on_upload: OnUpload | None = None,
    ) -> ShownRun:
        if detached:
            raise UsageError("A run in this process ends with it; --detach needs a URL.")
        start = self._app.start.with_options(webhook=webhook)
        self._run = run = await start(self._app.registry.action_named(action["name"]), input)
        return run


class _Remote:
    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def manifest(self) -> Sequence[dict[str, Json]]:
        actions: Sequence[dict[str, Json]] = (await self._client.manifest())["actions"]
        return actions

    async def start(
        self,
        action: dict[str, Json],
        input: Mapping[str, object],
        *,
        detached: bool,
        webhook: str | None,
        on_upload: OnUpload | None = None,
    ) -> ShownRun:
        if action["method"] == "GET" and not detached:
            return await self._client.open(action["name"], input, webhook=webhook)
        return await self._client.start(
            action["name"], input, detached=detached, webhook=webhook, on_upload=on_upload
        )
