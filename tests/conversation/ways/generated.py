"""The asynchronous Python client, by a module that is generated for the story's actions."""

import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import cache
from types import ModuleType
from typing import Any

from pydantic_core import to_jsonable_python

from tests.conversation.ways import TERMINAL, Place, Way
from tests.conversation.ways.asynchronous import Asynchronous, Remote, told
from tests.support.story import Log, Story
from yieldwire.client import AsyncClient, RemoteRun
from yieldwire.client.runtypes import RunTypes
from yieldwire.client.transport import TransportName
from yieldwire.client.typed import AsyncCaller, DeclaredAction
from yieldwire.describe.manifest import manifest
from yieldwire.describe.python import python
from yieldwire.errors import Json


@cache
def story() -> ModuleType:
    """Return the module for the story's actions."""
    module = ModuleType("generated_story")
    sys.modules[module.__name__] = module  # where its types are looked up
    text = python(manifest(Story().actions.app.registry.actions)["actions"])
    exec(compile(text, module.__name__, "exec"), vars(module))  # noqa: S102 - ours
    return module


class Generated(Asynchronous):
    """A client, with typed calls."""

    def __init__(self, client: AsyncClient, stack: AsyncExitStack) -> None:
        super().__init__(client, stack)
        self._actions: AsyncCaller = vars(story())["AsyncActions"](client)

    async def start(
        self,
        action: str,
        value: Any = None,  # noqa: ANN401 - an input
        *,
        key: str | None = None,
    ) -> Remote:
        """Start an attached run."""
        try:
            call = getattr(self._actions, action)(**(value or {}))
        except (AttributeError, TypeError):  # a type checker would refuse this
            return await super().start(action, value, key=key)
        run = await told(call.start(key=key, detached=False))
        return self._read(run, action)

    async def attach(self, action: str, run_id: str, cursor: str | None = None) -> Remote:
        """Return another reader."""
        if not hasattr(self._actions, action):  # of another application than the story's
            return await super().attach(action, run_id, cursor)

        async def attached() -> RemoteRun:
            run: RemoteRun = getattr(self._actions, action).attach(run_id, cursor)
            return run

        return self._read(await told(attached()), action)

    def _read(self, run: RemoteRun, action: str) -> Remote:
        declared: DeclaredAction[..., Any, Any] = vars(vars(story())["_Actions"])[action]
        reading = Typed(run, declared.types)
        self._stack.push_async_callback(reading.leave)
        return reading


class Typed(Remote):
    """A run, whose values are read as their types and written again."""

    def __init__(self, run: RemoteRun, types: RunTypes[Any, Any]) -> None:
        super().__init__(run)
        self._types = types

    async def read(self, log: Log) -> Log:
        """Read on."""
        read: Log = []
        while len(read) < len(log) and not (read and read[-1][1] in TERMINAL):
            event = await told(anext(self._events))
            is_chunk = event.type.value == "chunk"
            value = to_jsonable_python(self._types.chunk(event)) if is_chunk else event.value
            read.append((event.seq, event.type.value, value))
        return read

    async def result(self) -> Json:
        """Return the result."""
        return to_jsonable_python(await super().result())


def over(transport: TransportName) -> Callable[[Place, str], AbstractAsyncContextManager[Way]]:
    """Return how a caller comes in with a client over this transport."""

    @asynccontextmanager
    async def enter(place: Place, caller: str) -> AsyncGenerator[Way, None]:
        async with (
            AsyncClient(place.url, token=caller, transport=transport) as client,
            AsyncExitStack() as stack,
        ):
            yield Generated(client, stack)

    return enter
