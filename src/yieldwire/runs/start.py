"""What a start creates before anything runs: a record, and the conditions of its admission."""

import hashlib
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import KW_ONLY, dataclass, field, fields, is_dataclass, replace
from functools import lru_cache, partial
from typing import Any, Final

from pydantic import BaseModel
from pydantic_core import to_json

from yieldwire.actions.action import Action
from yieldwire.actions.context import Context, RequestFacts
from yieldwire.actions.start import Given
from yieldwire.actions.upload import Upload
from yieldwire.errors import Json, ParseError, UsageError
from yieldwire.log.run import SHARED, RunRecord, distinct_labels
from yieldwire.runs.access import Caller
from yieldwire.runs.blocking import carry_out
from yieldwire.stores import Admission

ANONYMOUS_KEY_LENGTH: Final = 22
"""Minimum length of an anonymous idempotency key: 128 bits in base 64, so it cannot be guessed."""


@dataclass(slots=True)  # a frozen one takes longer to create, at each start
class StartRequest:
    """A request to start a run, from any transport.

    Attributes:
        action: The action to run.
        caller: The caller.
        facts: What the action can know about the request.
        data: The input, not validated yet.
        read: Reads the input instead; called after the guards, so that a refused request costs
            no body.
        key: The idempotency key, if there is one.
        detached: Whether the run continues without readers.
        tick: The scheduled time, if a schedule starts the run: there is one run for each.
        webhook: A URL that is told about the run, in addition to those that are declared.
        place: The id of the run, if its files are in the place that was reserved with it.
        not_before: The time before which the run does not start, in seconds since the epoch.
        linger: The most seconds that the run can wait for a reader to come back, if its action
            says less than forever; ``None``: as the action says.
        labels: Put on the run, in addition to those of its action.
        parent: The id of the run whose action starts this one.
        depth: How many such runs are above this one.
        resolve: Returns the values of the action's dependencies for the request, if it comes from
            one; Python code gives them with the input.
    """

    action: Action[..., Any, Any]
    caller: Caller
    facts: RequestFacts = field(default_factory=RequestFacts)
    _: KW_ONLY
    data: object = None
    read: Callable[[], Awaitable[object]] | None = None
    key: str | None = None
    detached: bool = False
    tick: float | None = None
    webhook: str | None = None
    place: str | None = None
    not_before: float | None = None
    linger: float | None = None
    labels: Sequence[str] = ()
    parent: str | None = None
    depth: int = 0
    resolve: Callable[[], Awaitable[Mapping[str, object]]] | None = None

    @property
    def input(self) -> object:
        """The input, without the values of dependencies."""
        return self.data.input if isinstance(self.data, Given) else self.data

    async def dependencies(self) -> dict[str, Json]:
        """Return the values of the action's dependencies, as they are kept with the run.

        Raises:
            UsageError: If one is missing, or cannot be kept.
            Exception: Any error with which a dependency refuses.
        """
        values: Mapping[str, object] = {}
        if self.resolve is not None:
            values = await self.resolve()
        elif isinstance(self.data, Given):
            values = self.data.dependencies
        kept = dict[str, Json]()
        for name, dependency in self.action.signature.dependencies.items():
            if name not in values:
                raise UsageError(
                    f"{self.action.name}: {name!r} is a dependency, which is resolved from a "
                    f"request; give its value, as start({self.action.name}, {name}=...)."
                )
            kept[name] = dependency.kept(values[name])
        return kept


_SCALARS: Final = frozenset({type(None), bool, int, float, str, bytes})


def record_of(
    action: Action[..., Any, Any], ctx: Context, dumped: bytes, *, detached: bool
) -> RunRecord:
    """Return the record of a new run.

    Raises:
        UsageError: If a guard put something on ``ctx.labels`` that cannot be a label.
    """
    is_shared = action.options.shared
    parent = None if is_shared else ctx.parent
    run = action.record.changed(
        id=ctx.run_id,
        # A shared feed has no owner: a reader who can open it can always continue to read it.
        quota_key=SHARED + action.name if is_shared else ctx.quota_key,
        owner=None if is_shared else ctx.owner,
        input=dumped,
        context=to_json(_facts_of(ctx, parent)),
        detached=detached,
        parent=parent,
    )
    if ctx.labels != []:
        run = run.changed(labels=_labels_of(action, ctx))
    return run


def _facts_of(ctx: Context, parent: str | None) -> dict[str, Json]:
    facts: dict[str, Json] = {"state": ctx.state, "request": ctx.request.to_dict()}
    if ctx.dependencies:
        facts["dependencies"] = dict(ctx.dependencies)
    if parent is not None:
        facts |= {"parent": parent, "depth": ctx.depth}
    return facts


def _labels_of(action: Action[..., Any, Any], ctx: Context) -> tuple[str, ...]:
    """Return the labels of the action and those that guards put on ``ctx.labels``."""
    try:
        return distinct_labels([*action.labels, *distinct_labels(ctx.labels)])
    except UsageError as exc:
        raise UsageError(f"{action.name}, ctx.labels: {exc}") from exc


def admission_of(
    request: StartRequest,
    run: RunRecord,
    max_runs: int | None,
    lease: float | None,
    *,
    claims: bool = False,
) -> Admission:
    """Return the conditions for creating the ``run`` of a request.

    Raises:
        ParseError: If an anonymous caller's key could also be another caller's.
    """
    action, key = request.action, request.key
    options = action.options
    plain = _plain_admission(options.concurrency, max_runs, lease, claims=claims)
    if request.tick is not None:
        # No caller can have the same: its own are texts.
        key = _digest(to_json([None, action.name, request.tick]))
    elif key is not None:
        key = scoped_key(action, run.owner, key)
    elif not options.shared:
        return plain  # nobody will compare the input with anything
    fingerprint = _digest(run.input)
    return replace(
        plain,
        key=key,
        fingerprint=fingerprint,
        feed=_digest(to_json([action.name, fingerprint])) if options.shared else None,
    )


@lru_cache(maxsize=64)  # the same for nearly every start of an action
def _plain_admission(
    action: int | None, caller: int | None, lease: float | None, *, claims: bool = False
) -> Admission:
    return Admission(action_limit=action, caller_limit=caller, lease=lease, claims=claims)


def scoped_key(action: Action[..., Any, Any], owner: str | None, key: str) -> str:
    """Return a store's form of an idempotency key: different owners and actions never collide.

    Raises:
        ParseError: If an anonymous caller's key could be somebody else's too.
    """
    owner = None if action.options.shared else owner  # as in the record
    if owner is None and len(key) < ANONYMOUS_KEY_LENGTH:
        raise ParseError(
            f"An anonymous Idempotency-Key must be random, of {ANONYMOUS_KEY_LENGTH} characters "
            "or more, so that nobody else's can be the same."
        )
    return _digest(to_json([owner, action.name, key]))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def dump(action: Action[..., Any, Any], model: BaseModel) -> bytes:
    """Return a validated input as JSON; in a thread where files are hashed for it."""
    if action.takes_files:
        return await carry_out(partial(action.signature.dump, model))
    return action.signature.dump(model)


def uploads_in(value: object) -> Sequence[Upload]:
    """Return every file in ``value``, in whatever containers, models and dataclasses it is."""
    if type(value) is dict and _SCALARS.issuperset(map(type, value.values())):
        return ()  # nearly every input, at nearly no cost
    waiting, seen, found = [value], set[int](), list[Upload]()
    while waiting:
        each = waiting.pop()
        if isinstance(each, Upload):
            found.append(each)
        elif id(each) not in seen:
            seen.add(id(each))
            # First the scalars, because a list can have very many of them.
            waiting += [part for part in _parts(each) if type(part) not in _SCALARS]
    return found


def _parts(value: object) -> Iterable[object]:
    if isinstance(value, Mapping):
        return value.values()
    if isinstance(value, (list, tuple, AbstractSet, deque)):
        return value
    if isinstance(value, BaseModel):
        return [
            *value.__dict__.values(),
            *(value.__pydantic_extra__ or {}).values(),
            *(value.__pydantic_private__ or {}).values(),
        ]
    if is_dataclass(value):
        return [getattr(value, field.name, None) for field in fields(value)]
    return ()


def close_uploads(value: object) -> None:
    """Close every file in ``value``."""
    for upload in uploads_in(value):
        upload.close()
