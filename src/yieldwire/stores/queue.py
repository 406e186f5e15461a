"""Runs that wait for a worker: the contract of their queue, and who is next in line.

A run in a queue is executed by whichever process takes it. The order is fair: a caller who
starts ten thousand runs does not delay another caller's single run by more than one of them.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from pydantic_core import from_json, to_json

from yieldwire.log.run import RunRecord, Status
from yieldwire.log.transitions import CLAIM_SECONDS
from yieldwire.stores.line import Line


class Slots(NamedTuple):
    """How many runs of an action are executed at a time, by all workers together.

    ``total`` counts those of all callers, ``each`` those of one caller; ``None``: no limit.
    """

    total: int | None = None
    each: int | None = None


NO_SLOTS: Final[Mapping[str, Slots]] = {}


class Queue(Protocol):
    """The runs with a `RunRecord.queue` that are pending: first they wait, then they are taken.

    A run waits from its creation, and again after an attempt from which another one follows, not
    before `RunRecord.not_before`. No sweep hands out a run that waits.
    """

    async def take(
        self,
        queues: Collection[str],
        *,
        slots: Mapping[str, Slots] = NO_SLOTS,
        lease: float,
        wait: float = 0.0,
    ) -> RunRecord | None:
        """Give the run that is next in line to the caller, who has ``lease`` seconds to claim it.

        This is one step: no run is given to two callers. Who is next says `next_in_line`. A run
        that is not claimed in time waits again; the next sweep sees to that.

        If none can be taken, wait for at most ``wait`` seconds until one can, whichever process
        has put it into the queue. A wait can also end early with nothing, and it can miss a run
        that can be taken because time has passed or a slot is free again; the caller asks again.

        Args:
            queues: The names of the queues.
            slots: The limits of actions by their names.
            lease: Seconds.
            wait: Seconds.
        """
        ...

    async def line(self, queue: str, run_ids: Collection[str], /) -> Line:
        """Return how many runs wait in a queue, and where these are among them."""
        ...


class Demand(NamedTuple):
    """What a worker asks for: runs in some queues, within the limits of their actions.

    A store whose waits are known by text uses its `key`.
    """

    queues: Sequence[str]
    slots: Mapping[str, Slots]

    def key(self) -> str:
        """Return the demand as text."""
        return to_json([sorted(self.queues), dict(sorted(self.slots.items()))]).decode()

    @classmethod
    def of(cls, key: str) -> "Demand":
        """Return the demand for a text."""
        queues, slots = from_json(key)
        return cls(queues, {action: Slots(*limits) for action, limits in slots.items()})


class Waiting(NamedTuple):
    """The first of the waiting runs of one action, caller and priority.

    ``number`` is smaller for runs that were created earlier.
    """

    action: str
    quota_key: str
    priority: int
    number: int


def next_in_line(
    waiting: Iterable[Waiting],
    taken: Mapping[tuple[str, str], int],
    slots: Mapping[str, Slots] = NO_SLOTS,
) -> Waiting | None:
    """Return whose run is next, or ``None`` if no run can be taken.

    The highest priority is first; among equals, the caller with the fewest runs in progress; among
    those, the run that was created first.

    Args:
        waiting: The first run of each action, caller and priority.
        taken: How many runs in queues are taken or running, by action and caller.
        slots: The limits.
    """
    callers, actions = by_caller(taken), Counter[str]()
    for (action, _), count in taken.items():
        actions[action] += count

    def has_slot(run: Waiting) -> bool:
        total, each = slots.get(run.action, Slots())
        return (total is None or actions[run.action] < total) and (
            each is None or taken.get((run.action, run.quota_key), 0) < each
        )

    def place(run: Waiting) -> tuple[int, int, int]:
        return -run.priority, callers.get(run.quota_key, 0), run.number

    return min(filter(has_slot, waiting), key=place, default=None)


def by_caller(taken: Mapping[tuple[str, str], int]) -> Mapping[str, int]:
    """Return how many runs are taken or running by caller, given them by action and caller."""
    callers = Counter[str]()
    for (_, caller), count in taken.items():
        callers[caller] += count
    return callers


def claim_seconds(run: RunRecord, lease: float | None) -> float | None:
    """Return the seconds of a new run's lease, or ``None`` if it has none.

    ``lease`` is as in `Admission`. In that time a pending run is claimed, or its attempt renews
    it. A run that starts later is claimed by nobody before its time, when a sweep hands it out.
    One in a queue waits there.
    """
    if run.status is Status.RUNNING:
        return lease
    if run.is_queued:
        return None
    if run.not_before is not None:
        return max(0.0, run.not_before - run.created_at)
    return lease or CLAIM_SECONDS


def claim_until(run: RunRecord, until: float) -> float | None:
    """Return until when a pending run must be claimed: ``until``, or never if it waits in a queue.

    Of a run that is not pending, return ``until``.
    """
    return None if run.is_queued else until
