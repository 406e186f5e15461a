"""What all attempts in one process share."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from yieldwire.actions.action import Action
from yieldwire.actions.context import Context
from yieldwire.actions.encoding import Encoding
from yieldwire.actions.middleware import Middleware
from yieldwire.actions.resource import Resource
from yieldwire.actions.running import RunningAttempt
from yieldwire.actions.schema import Output
from yieldwire.actions.upload import Upload
from yieldwire.executors import RunLimits, Work
from yieldwire.executors.children import Families
from yieldwire.hooks import NOBODY, Watch
from yieldwire.log.run import RunRecord
from yieldwire.stores import RunStore

_ANYTHING: Final = Output(Any)

Own: TypeAlias = Callable[[Coroutine[Any, Any, Any]], asyncio.Task[Any]]
"""Runs a coroutine in a task that the executor owns."""


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
