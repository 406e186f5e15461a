"""Whether an application can take requests, for balancers and supervisors."""

import asyncio
import logging
import math
from enum import StrEnum
from time import monotonic
from typing import Final, Protocol

from yieldwire.errors import StoreError, Unavailable
from yieldwire.stores import Query, RunStore

FRESH: Final = 1.0
"""Seconds for which an answer of the store counts: everybody can ask, and it is not for them."""
PATIENCE: Final = 2.0
"""Seconds within which the store must answer: balancers wait for a few."""

logger: Final = logging.getLogger("yieldwire.app")


class State(StrEnum):
    """The state of an application."""

    OK = "ok"
    STOPPING = "stopping"
    """It accepts no new runs."""
    NO_STORE = "store unreachable"
    """Its store has failed, or has not answered in time."""
    NOT_OPEN = "not open"
    """It could not be opened, for example because of a resource."""


class Checkable(Protocol):
    """What a check needs of an application."""

    @property
    def store(self) -> RunStore:
        """Where its runs are kept."""
        ...

    @property
    def is_closing(self) -> bool:
        """Whether it accepts no new runs."""
        ...

    async def ready(self) -> object:
        """Open the application at its first call."""
        ...


class Health:
    """The health of one application, in one event loop."""

    def __init__(self, app: Checkable) -> None:
        self._app = app
        self._asking = asyncio.Lock()
        self._state = State.OK
        self._asked_at = -math.inf

    async def state(self) -> State:
        """Return the current state; how its store is, is at most a second old."""
        async with self._asking:
            if not self._app.is_closing and monotonic() - self._asked_at > FRESH:
                before, self._state = self._state, await self._ask()
                self._asked_at = monotonic()
                if before is State.NO_STORE and self._state is State.OK:
                    logger.info("the store can be reached again")
        return State.STOPPING if self._app.is_closing else self._state

    async def _ask(self) -> State:
        try:
            async with asyncio.timeout(PATIENCE):
                await self._app.ready()
                await self._app.store.find(Query(everyone=True, limit=1))
        except Unavailable:
            return State.STOPPING
        except (StoreError, TimeoutError) as exc:
            if self._state is not State.NO_STORE:
                cause = str(exc) or f"no answer within {PATIENCE:g} s"
                logger.warning("the store cannot be reached: %s", cause)
            return State.NO_STORE
        except Exception:
            if self._state is not State.NOT_OPEN:
                logger.exception("the application cannot be opened")
            return State.NOT_OPEN
        return State.OK
