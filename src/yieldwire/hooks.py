"""Hooks: what an application tells about its work, for logs, metrics, traces and webhooks.

A hook watches and changes nothing. Its methods are called in the event loop, right after what
they tell about; they must return soon, and hand slow work to a task or a thread of their own.
"""

import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from pydantic_core import from_json, to_json

from yieldwire.errors import ErrorObject, Json
from yieldwire.log.events import Block
from yieldwire.log.run import RunRecord
from yieldwire.setting import Rule, each

logger: Final = logging.getLogger("yieldwire.worker")

CARRIED: Final = "carried"
"""Where a run's context has what `Hooks.carried` returned."""


class Hooks:
    """Watches one process of an application: subclass it, and define the methods you need.

    Each method is a normal function, not a coroutine function. An exception is logged and changes
    nothing else.
    """

    def carried(self, run: RunRecord, /) -> Mapping[str, str]:
        """Return what hooks need to know later of the start of ``run``, which is not created yet.

        For example a trace context. It is kept with the run, in the store, and `carried_by`
        returns it, in every process.
        """
        return {}

    def start_refused(self, action: str, error: Exception, /) -> None:
        """A start of ``action`` was refused, or has failed: no run was created."""

    def run_created(self, run: RunRecord, /) -> None:
        """A run was created by this process."""

    def attempt_started(self, run: RunRecord, /) -> None:
        """An attempt has started in this process; ``run.attempt`` says which one.

        Called in the attempt's own task: a context variable that is set here has that value in
        the action, and in all tasks and threads that it starts.
        """

    def block_appended(self, run: RunRecord, block: Block, /) -> None:
        """An attempt in this process has appended events to the log of its run."""

    def question_asked(self, run: RunRecord, question: Mapping[str, Json], /) -> None:
        """An attempt in this process has asked; ``question`` is the data of the event.

        Not called for a question that an earlier attempt has asked in the same way.
        """

    def step_recorded(self, run: RunRecord, name: str, /) -> None:
        """An attempt in this process has recorded the result of a step."""

    def attempt_ended(self, run: RunRecord, error: BaseException | None, /) -> None:
        """An attempt that had started in this process is over, also the action's cleanup.

        ``run.status`` is the run's last status; ``pending`` if another attempt follows, and
        ``running`` if another process continues the run. ``error`` is what has ended the attempt.
        """

    def run_ended(self, run: RunRecord, /) -> None:
        """This process has written the end of a run; ``run.status`` says which one.

        Called once for each run, in the process that executed it, cancelled it while it was
        pending, or ended it in a sweep.
        """

    def reader_came(self, run_id: str, reader: str, after: int, run: RunRecord | None, /) -> None:
        """A reader has started to follow a run in this process: a stream or a waiting answer.

        ``after`` is the seq of the last event that it has; above 0, it resumes. ``run`` is the
        run's record when the request arrived; ``None`` if Python code reads.
        """

    def reader_left(self, run_id: str, reader: str, /) -> None:
        """A reader that came has left: its client, its caller's access, or the run has ended."""

    def request_refused(self, method: str, path: str, error: ErrorObject, /) -> None:
        """An HTTP request was answered with an error; ``path`` is below the application's."""

    def store_called(self, method: str, seconds: float, error: BaseException | None, /) -> None:
        """The store has answered a call of this process, or has failed with ``error``.

        Not called for a call that waits for something to happen, or was cancelled.
        """

    def swept(self, runs: Sequence[RunRecord], /) -> None:
        """A sweep of this process is over; ``runs`` are those that it changed."""


class RunLogging(Hooks):
    """Logs the start of each attempt and the end of each run, without what they carry.

    The records have the attributes ``run_id`` and ``owner``; at the end also ``created_at``,
    when the run was created, in seconds since the epoch as the record's own ``created``.

    Every application has it whose logger ``yieldwire.worker`` logs at ``INFO`` when it opens.
    """

    @classmethod
    def if_logged(cls) -> "list[RunLogging]":
        """Return this hook if something logs what it tells."""
        return [cls()] if logger.isEnabledFor(logging.INFO) else []

    def attempt_started(self, run: RunRecord, /) -> None:
        """Log it."""
        extra = {"run_id": run.id, "owner": run.owner}
        logger.info("run starts: %s", run.action, extra=extra)

    def run_ended(self, run: RunRecord, /) -> None:
        """Log it."""
        extra = {"run_id": run.id, "owner": run.owner, "created_at": run.created_at}
        logger.info("run ends: %s, %s", run.action, run.status.value, extra=extra)


class Watch:
    """The hooks of an application as one: a method for each method of `Hooks`.

    What no hook defines is a function that does nothing.
    """

    def __init__(self, hooks: Sequence[Hooks] = ()) -> None:
        self.start_refused: Final = _each(hooks, "start_refused")
        self.run_created: Final = _each(hooks, "run_created")
        self.attempt_started: Final = _each(hooks, "attempt_started")
        self.block_appended: Final = _each(hooks, "block_appended")
        self.question_asked: Final = _each(hooks, "question_asked")
        self.step_recorded: Final = _each(hooks, "step_recorded")
        self.attempt_ended: Final = _each(hooks, "attempt_ended")
        self.run_ended: Final = _each(hooks, "run_ended")
        self.reader_came: Final = _each(hooks, "reader_came")
        self.reader_left: Final = _each(hooks, "reader_left")
        self.request_refused: Final = _each(hooks, "request_refused")
        self.store_called: Final = _each(hooks, "store_called")
        self.swept: Final = _each(hooks, "swept")
        self._carrying: Final = _defining(hooks, "carried")
        self.has_carried: Final = bool(self._carrying)
        """Whether a hook has something to carry from a start."""
        self.has_blocks: Final = self.block_appended is not _nothing
        """Whether a hook is told about blocks."""
        self.has_attempt_ends: Final = self.attempt_ended is not _nothing
        """Whether a hook is told about the ends of attempts."""
        self.has_ends: Final = self.run_ended is not _nothing
        """Whether a hook is told about ends."""
        self.has_readers: Final = (self.reader_came, self.reader_left) != (_nothing, _nothing)
        """Whether a hook is told about readers."""
        self.has_store_calls: Final = self.store_called is not _nothing
        """Whether a hook is told about calls of the store."""

    def carrying(self, run: RunRecord) -> dict[str, bytes]:
        """Return the fields of a run that is not created yet which change for what hooks carry."""
        carried = dict[str, str]()
        for hook in self._carrying:
            _guarded("carried", lambda hook=hook: carried.update(hook.carried(run)))
        if not carried:
            return {}
        return {"context": to_json({**from_json(run.context), CARRIED: carried})}


def carried_by(run: RunRecord) -> Mapping[str, str]:
    """Return what hooks knew of the start of ``run``, as `Hooks.carried` returned it."""
    carried: Mapping[str, str] = from_json(run.context).get(CARRIED, {})
    return carried


def _nothing(*_facts: object) -> None:
    """Do nothing."""


def _each(hooks: Sequence[Hooks], name: str) -> Callable[..., None]:
    calls: list[Callable[..., object]] = [getattr(hook, name) for hook in _defining(hooks, name)]
    if not calls:
        return _nothing

    def call(*facts: object) -> None:
        for each_call in calls:
            _guarded(name, each_call, *facts)

    return call


def _guarded(name: str, call: Callable[..., object], *facts: object) -> None:
    try:
        call(*facts)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:
        logger.exception("a hook failed: %s", name)


def _defining(hooks: Sequence[Hooks], name: str) -> list[Hooks]:
    own = getattr(Hooks, name)
    return [hook for hook in hooks if getattr(type(hook), name, own) is not own]


_METHODS: Final = sorted(name for name in vars(Hooks) if not name.startswith("_"))


def _is_hook(value: Any) -> bool:  # noqa: ANN401 - whatever was given
    methods = [getattr(value, name, None) for name in _METHODS]
    is_async = any(map(inspect.iscoroutinefunction, methods))
    return not isinstance(value, type) and any(methods) and not is_async


def _hint(value: object) -> str:
    if isinstance(value, type):
        return f"write {value.__name__}(...)"
    return "its methods must be normal functions" if hasattr(value, "run_ended") else ""


HOOKS: Final = each(Rule(_is_hook, "an object of a subclass of Hooks", _hint), "hooks")
"""The rule for the setting ``hooks``."""

NOBODY: Final = Watch()
"""No hooks."""
