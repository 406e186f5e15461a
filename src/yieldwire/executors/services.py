"""What all attempts in one process share."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

from yieldwire.actions.action import Action
from yieldwire.actions.context import Context, RequestFacts
from yieldwire.actions.encoding import Encoding
from yieldwire.actions.middleware import Middleware
from yieldwire.actions.resource import Resource
from yieldwire.actions.run import Run
from yieldwire.actions.runnable import Runnable
from yieldwire.actions.running import RunningAttempt
from yieldwire.actions.schema import Output
from yieldwire.actions.upload import Upload
from yieldwire.executors import RunLimits, Work
from yieldwire.hooks import NOBODY, Watch
from yieldwire.log.run import RunRecord
from yieldwire.stores import RunStore

_ANYTHING: Final = Output(Any)

Own: TypeAlias = Callable[[Coroutine[Any, Any, Any]], asyncio.Task[Any]]
"""Runs a coroutine in a task that the executor owns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewChild:
    """A run to start for another one.

    Attributes:
        action: The action to run.
        data: Its input, not validated yet.
        name: What a later attempt of the parent finds the child by; unique within the parent.
        facts: The facts about the request that started the parent.
        depth: How many runs are above the child.
    """

    action: Runnable[..., Any, Any]
    data: object
    name: str
    facts: RequestFacts
    depth: int


class Families(Protocol):
    """What attempts need of the application, to start other runs and to stop them."""

    def own(self, action: Any, /) -> Runnable[..., Any, Any]:  # noqa: ANN401 - anything can be passed
        """Return ``action``; raise `UsageError` if it is not one of the application's."""
        ...

    async def begin(self, parent: RunRecord, child: NewChild, /) -> Run[Any]:
        """Start a child, or return the one that has its name already."""
        ...

    async def stop(self, parent_id: str, run_id: str, /) -> None:
        """Ask a run to stop if it is a child of the parent and has not ended."""
        ...

    async def end(self, parent_id: str, /) -> None:
        """Ask all unfinished children of a run to stop."""
        ...

    async def stop_orphan(self, run: RunRecord, /) -> bool:
        """Ask a run to stop if its parent has failed or was cancelled; return whether it has."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Shared by all attempts in this process."""

    store: RunStore
    limits: RunLimits
    middleware_of: Callable[[Action[..., Any, Any]], tuple[Middleware, ...]]
    """What wraps an action's attempts, the outermost first."""
    resources: Mapping[Resource[Any], Any]
    answer_link: Callable[..., str]
    """Makes links for people without an account; see `App.answer_link`."""
    families: Families
    """Starts runs for other runs, and stops them."""
    reopen: Callable[[str, str, object], Upload]
    """Returns a file of a message to a run: by the run's id, the message's token and the record."""
    checks_chunks: Callable[[], bool]
    """Whether the chunks of actions are validated."""
    shows_debug: Callable[[], bool] = lambda: False
    """Whether an error shows the details of an unexpected exception, for development."""
    watch: Watch = NOBODY

    def encoding_of(self, action: Action[..., Any, Any]) -> Encoding:
        """Return what writes the chunks of an action."""
        chunk = action.signature.chunk
        if chunk is None:
            return _ANYTHING.encoding
        if self.checks_chunks():
            return Encoding(None, chunk.encode_checked)
        return chunk.encoding

    def context(self, run: RunRecord, work: Work, running: RunningAttempt) -> Context:
        """Return the context of an attempt."""
        return Context(
            run_id=run.id,
            action=run.action,
            owner=run.owner,
            quota_key=run.quota_key,
            attempt=run.attempt,
            labels=list(run.labels),
            running=running,
            opened=self.resources,
            answer_link=self.answer_link,
            **work.context,
        )
