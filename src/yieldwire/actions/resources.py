"""Resources, which are opened once per process, and closed in the same task."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final, TypeAlias, cast

from yieldwire.actions.resource import Resource

Opener: TypeAlias = Callable[[], AsyncGenerator[Any, None]]


class Resources:
    """Every resource of an application, open from when `keep` is ready until `close`."""

    def __init__(self) -> None:
        self.opened: Final[dict[Resource[Any], Any]] = {}
        self._closing = asyncio.Event()

    async def keep(self, declared: Sequence[Resource[Any]], ready: asyncio.Future[None]) -> None:
        """Open every resource in order, set ``ready``, and close them in reverse when told to.

        One task does both, as task groups and cancel scopes inside a resource require. An error
        while opening is passed to ``ready``.
        """
        try:
            async with AsyncExitStack() as stack:
                for resource in declared:
                    manager = asynccontextmanager(cast("Opener", resource.opener))()
                    self.opened[resource] = await stack.enter_async_context(manager)
                if not ready.done():
                    ready.set_result(None)
                await self._closing.wait()
        except asyncio.CancelledError:
            ready.cancel()
            raise
        except Exception as exc:
            if ready.done():
                raise
            ready.set_exception(exc)

    def close(self) -> None:
        """Let `keep` close everything."""
        self._closing.set()
