"""An action: a function, its signature, and the options of its runs."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, update_wrapper
from typing import Annotated, Any, Final, ParamSpec, TypeAlias, TypeVar, cast

from pydantic_core import to_json

from yieldwire.actions.guard import Guards
from yieldwire.actions.look import Look
from yieldwire.actions.message import MessageType, answer_types, message_type
from yieldwire.actions.middleware import Middlewares
from yieldwire.actions.retry import Retries, Retry, retry_of
from yieldwire.actions.runnable import Runnable
from yieldwire.actions.schema import BINARY, Signature, error_data_of, inspect_action, result_of
from yieldwire.actions.shape import Shape
from yieldwire.errors import ActionError, InvalidAction, Json, UsageError
from yieldwire.log.run import RunRecord, distinct_labels
from yieldwire.setting import (
    ANYTHING,
    Count,
    Rule,
    Seconds,
    SomeSeconds,
    Whole,
    each,
    settings,
    shown,
)

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

_ROUTES: Final = frozenset({"answers", "dev", "health", "runs", "ws"})
_MEMBERS: Final = frozenset(
    {
        "asymmetricMatch",
        "constructor",
        "hasOwnProperty",
        "isPrototypeOf",
        "propertyIsEnumerable",
        "then",
        "toJSON",
        "toLocaleString",
        "toString",
        "valueOf",
    }
)
"""Properties that JavaScript tools read of every object; a client has its actions as properties."""

RESERVED: Final = _ROUTES | _MEMBERS
"""Names that an action cannot have, in either form."""

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}", re.ASCII)
_CODE: Final = re.compile(r"[A-Z][A-Z0-9_]{1,99}", re.ASCII)


_QUEUE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)

QueueName: TypeAlias = Annotated[
    str,
    Rule(
        lambda value: isinstance(value, str) and _QUEUE.fullmatch(value) is not None,
        "the name of a queue: 1 to 64 letters, digits, '_', '-' and '.'",
    ),
]
Times: TypeAlias = Annotated[
    str,
    Rule(
        lambda value: isinstance(value, str) and len(value.split()) == 5,  # noqa: PLR2004 - as cron's
        "a time as cron has it, in five fields such as '*/5 * * * *'",
    ),
]
Errors: TypeAlias = Annotated[Sequence[type[ActionError] | str], each(ANYTHING, "errors")]


@settings
@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of an action's runs.

    Attributes:
        is_feed: Whether it is a read-only feed, which GET starts, also from a native EventSource.
        linger: Seconds that an attached run waits for a reader to come back; ``None``: forever.
        timeout: Seconds after which a run fails as ``TIMEOUT``.
        retries: Attempts that can follow the first when a worker is lost. A `Retry` also says
            after which errors, and how soon.
        retention: Seconds that a run is kept after its end.
        concurrency: Runs of the action that one caller can have at a time; more are refused.
        queue: The queue whose workers execute the runs; ``None``: the process that starts one does.
        priority: In the queue, runs with a higher priority are executed first.
        slots: Runs of the action that all workers together execute at a time; more wait.
        slots_per_caller: Those of one caller among them.
        schedule: When runs start by themselves: minute, hour, day, month and weekday, in UTC. It
            needs an executor that is an engine.
        labels: Put on every run, for lists: at most 32 texts of 1 to 100 printable characters.
        guards: Runs once at each start, after the application's.
        middleware: Wraps each attempt, inside the application's.
        shared: One run of a feed for all readers with the same input.
        keep: How many of its newest events a feed keeps.
        errors: What the action can raise: subclasses of `ActionError` with a ``code``, or codes.
            They are shown to callers; they have no other effect.
        asks: The type of the answers to its questions, or several; see `Context.ask`.
        inbox: The type of the messages that its runs take; see `Context.inbox`. ``None``: none.
        html: How a chunk that is neither text nor progress looks in a page, for the dialects that
            send HTML: a function of the chunk, or a template with the variable ``chunk``. Text that
            it returns is escaped, unless it has ``__html__``. ``None``: by the chunk's type.
        result: The type of the result, if type checkers cannot know it from the function because
            it is yielded. ``None``: according to the function's annotations.
    """

    is_feed: bool = False
    linger: Seconds | None = 30.0
    timeout: SomeSeconds | None = None
    retries: Retries = 0
    retention: Seconds = 3600.0
    concurrency: Count | None = None
    queue: QueueName | None = None
    priority: Whole = 0
    slots: Count | None = None
    slots_per_caller: Count | None = None
    schedule: Times | None = None
    labels: tuple[str, ...] = ()
    guards: Guards = ()
    middleware: Middlewares = ()
    shared: bool = False
    keep: Count | None = None
    errors: Errors = ()
    asks: object = ()
    inbox: object = None
    html: Look = None
    result: object = None


class Action(Runnable[P, R, T]):
    """A registered action. Calling it calls the original function.

    ``P`` and ``R`` are the function's own signature, ``T`` is the type of a run's result.

    Raises:
        InvalidAction: If the function or its options are invalid or do not match.
    """

    def __init__(self, function: Callable[P, R], options: Options) -> None:
        super().__init__(function)
        self.options: Final = options
        self.retry: Final[Retry] = retry_of(options.retries)
        self.signature: Signature = self._with_result(inspect_action(function))
        self.asks: Final[Mapping[str, MessageType[Any]]] = answer_types(self.name, options.asks)
        """The types of the answers to its questions, by name."""
        self.inbox: Final[MessageType[Any] | None] = (
            None
            if options.inbox is None
            else message_type(self.name, "inbox", "Message", options.inbox)
        )
        """The type of the messages that its runs take."""
        update_wrapper(self, function)
        self._check()
        try:
            self.labels: Final = distinct_labels(options.labels)
        except UsageError as exc:
            raise InvalidAction(f"{self.name}: {exc}") from exc

    def _check(self) -> None:
        if _NAME.fullmatch(self.name) is None or {self.name, self.alias} & RESERVED:
            raise InvalidAction(
                f"{self.name!r} cannot be an action's name: it must begin with a letter, hold "
                f"only letters, digits and _, and not be one of {', '.join(sorted(RESERVED))}."
            )
        options = self.options
        if not options.is_feed and (options.shared or options.keep is not None):
            raise InvalidAction(
                f"{self.name}: shared= and keep= are for feeds; declare it with @actions.feed."
            )
        if options.is_feed and self.takes_files:
            name = next(iter(self.signature.files()), "")
            raise InvalidAction(
                f"{self.name}: the parameter {name!r} takes a file, which a GET cannot carry; "
                "declare it with @actions.action."
            )
        if options.is_feed and not self.signature.shape.streams:
            raise InvalidAction(
                f"{self.name}: a feed streams; a function with one answer does not."
            )
        if options.shared and (self.asks or self.inbox):
            raise InvalidAction(
                f"{self.name}: asks= and inbox= are not for a shared feed, which belongs to all of "
                "its readers."
            )
        if options.keep is not None and self.asks:
            raise InvalidAction(
                f"{self.name}: asks= and keep= do not fit together: a log that is trimmed loses "
                "its questions."
            )
        self._check_queue()
        self._check_schedule()
        codes = [error["code"] for error in self.declared_errors]
        if len(set(codes)) < len(codes):
            raise InvalidAction(f"{self.name}: errors= names a code twice: {', '.join(codes)}.")

    def _check_queue(self) -> None:
        options = self.options
        has_rules = options.priority or options.slots or options.slots_per_caller
        if options.queue is None and has_rules:
            raise InvalidAction(
                f"{self.name}: priority=, slots= and slots_per_caller= are for runs that wait for "
                "a worker; name a queue=."
            )

    def _check_schedule(self) -> None:
        if self.options.schedule is None:
            return
        if self.options.queue is None or self.options.is_feed:
            raise InvalidAction(
                f"{self.name}: schedule= is for runs of an action that wait for a worker; declare "
                "it with @actions.action(queue=...)."
            )
        if dependencies := self.signature.dependencies:
            raise InvalidAction(
                f"{self.name}: schedule= starts runs without a request, in which no host resolves "
                f"{', '.join(dependencies)}; leave out the dependency or the schedule."
            )
        if missing := self.input_schema.get("required"):
            raise InvalidAction(
                f"{self.name}: schedule= starts runs without an input; give a default to: "
                f"{', '.join(map(str, cast('list[str]', missing)))}."
            )

    def _with_result(self, signature: Signature) -> Signature:
        """Return the signature with the result type from the options."""
        wanted, said = self.options.result, signature.result.annotation
        if wanted is None or wanted == said:
            return signature
        is_yielded = signature.shape in {Shape.ASYNC_GENERATOR, Shape.GENERATOR}
        if said is not Any and not (said is None and is_yielded):
            raise InvalidAction(
                f"{self.name}: result={shown(wanted)} contradicts the function's annotations, by "
                f"which the result is {shown(said)}; leave out result=, or change one of them."
            )
        return replace(signature, result=result_of(self.name, wanted))

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function itself, without a run."""
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<Action {self.name}>"

    @property
    def alias(self) -> str:
        """The name in camelCase, which also identifies the action."""
        head, *rest = self.name.split("_")
        return head + "".join(part[:1].upper() + part[1:] for part in rest)

    @cached_property
    def method(self) -> str:
        """The HTTP method that starts a run: ``GET`` of a feed, ``POST`` of any other action."""
        return "GET" if self.options.is_feed else "POST"

    @cached_property
    def record(self) -> RunRecord:
        """What the records of all its runs have in common."""
        options = self.options
        return RunRecord(
            id="",
            action=self.name,
            quota_key="",
            labels=self.labels,
            linger=options.linger,
            timeout=options.timeout,
            retries=self.retry.attempts,
            retention=options.retention,
            keep=options.keep,
            queue=options.queue,
            priority=options.priority,
        )

    @property
    def doc(self) -> str:
        """The function's docstring, without its indentation."""
        return _doc_of(self.function.__doc__)

    @cached_property
    def input_schema(self) -> dict[str, Json]:
        """The input object as JSON Schema."""
        return self.signature.input_schema()

    @cached_property
    def declared_errors(self) -> list[dict[str, Json]]:
        """The errors in ``errors=``, as shown to callers; a plain code has no details.

        Raises:
            InvalidAction: If an entry is neither a kind of `ActionError` with a code nor a code.
        """
        return [self._declared(error) for error in self.options.errors]

    def _declared(self, error: type[ActionError] | str) -> dict[str, Json]:
        code: object = error
        status, retryable, doc = None, None, ""
        data: dict[str, Json] = {}
        if isinstance(error, type) and issubclass(error, ActionError):
            code, status, retryable = error.code, error.status, error.retryable
            doc = _doc_of(error.__doc__)
            data = error_data_of(self.name, error)
        if not isinstance(code, str) or not _CODE.fullmatch(code) or code == ActionError.code:
            raise InvalidAction(
                f"{self.name}: {error!r} in errors= is neither a code such as 'OUT_OF_CREDIT' nor "
                "a kind of ActionError that has one as its class attribute."
            )
        declared = {"code": code, "status": status, "retryable": retryable, "doc": doc}
        return {**declared, "data": data} if data else declared

    @cached_property
    def takes_files(self) -> bool:
        """Whether the input can contain a file, at any depth."""
        return BINARY in to_json(self.input_schema)

    @cached_property
    def is_told_files(self) -> bool:
        """Whether an answer or a message can contain a file."""
        told = [*self.asks.values(), *([self.inbox] if self.inbox else [])]
        return any(kind.takes_files for kind in told)

    @cached_property
    def has_files(self) -> bool:
        """Whether a run can have files: in its input, an answer or a message."""
        return self.takes_files or self.is_told_files


def _doc_of(docstring: str | None) -> str:
    """Return a docstring for callers: without indentation and doctests, which they cannot run."""
    kept = list[str]()
    is_doctest = False
    for line in map(str.strip, (docstring or "").splitlines()):
        if line.startswith(">>>") and not is_doctest:
            while kept and kept[-1] in {"", "Example:", "Examples:"}:
                kept.pop()
        is_doctest = line.startswith(">>>") or (is_doctest and line != "")
        if not is_doctest:
            kept.append(line)
    return "\n".join(kept).strip()
