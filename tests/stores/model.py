"""What a store is compared with: one run's life, told in a page."""

from dataclasses import dataclass, field

from yieldwire.errors import AlreadyAnswered, InboxFull, KeyReused, RunEnded, YieldwireError
from yieldwire.log.events import Block, Event, EventType
from yieldwire.log.message import Message
from yieldwire.log.run import RunRecord, Status, advance


@dataclass(kw_only=True)
class Model:
    """What is known of one run without asking the store."""

    given: RunRecord
    key: str | None
    fingerprint: str
    read_until: float
    feed: str | None = None
    claim_seconds: float | None = None
    status: Status = Status.PENDING
    attempt: int = 0
    fences: list[int] = field(default_factory=list)
    cancel_reason: str | None = None
    types: list[EventType] = field(default_factory=list)
    seen: list[Event] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    lease_until: float | None = None
    readers: dict[str, float] = field(default_factory=dict)
    expires: float | None = None
    first_seq: int = 1
    messages: list[Message] = field(default_factory=list)
    checkpoints: dict[str, bytes] = field(default_factory=dict)
    saved_seq: int = 0

    @property
    def seq(self) -> int:
        return len(self.types)

    @property
    def fence(self) -> int:
        """The fence of the last claim."""
        return self.fences[-1] if self.fences else 0

    @property
    def may_write(self) -> bool:
        return self.status is Status.RUNNING

    @property
    def is_open(self) -> bool:
        """Whether starts of the same feed find this run."""
        return not self.status.is_terminal and self.cancel_reason is None

    def begin(self, fence: int, now: float, lease: float | None) -> None:
        self.fences.append(fence)
        self.status, self.attempt = Status.RUNNING, self.attempt + 1
        self.lease_until = None if lease is None else now + lease

    def end(self, kind: EventType, now: float) -> None:
        self.status = advance(self.status, kind)
        self.types.append(kind)
        self.lease_until, self.expires = None, now + self.given.retention

    def ask_to_stop(self, reason: str, now: float) -> None:
        if self.status.is_terminal or self.cancel_reason is not None:
            return
        self.cancel_reason = reason
        if self.status is Status.PENDING:
            self.end(EventType.CANCELLED, now)

    def outcome_of(self, message: Message, most: int) -> Message | type[YieldwireError] | None:
        """Return the message that it repeats, why it is refused, or ``None``: it is accepted."""
        for known in self.messages:
            if message.key is not None and message.key == known.key:
                return known if message.repeats(known) else KeyReused
        if self.status.is_terminal:
            return RunEnded
        if message.question in {known.question for known in self.messages if known.question}:
            return AlreadyAnswered
        is_full = sum(not known.is_timeout for known in self.messages) >= most
        return InboxFull if is_full and not message.is_timeout else None

    def restart(self, now: float, delay: float) -> None:
        if self.cancel_reason is not None:
            self.end(EventType.CANCELLED, now)
            return
        self.status = advance(self.status, EventType.RESTARTED)
        self.types.append(EventType.RESTARTED)
        self.wait_for_claim(now + delay)

    def wait_for_claim(self, now: float) -> None:
        """Be pending: a lease like any other, but for how long it lasts and what its loss does."""
        self.lease_until = None if self.claim_seconds is None else now + self.claim_seconds

    def sweep(self, now: float) -> bool:
        """Do what time asks, and say whether the store has to tell of it."""
        is_forsaken, is_lost = self._is_forsaken(now), self._is_lost(now)
        if is_forsaken:
            self.ask_to_stop("unattended", now)
        if is_lost and not self.status.is_terminal:
            self._lose_lease(now)
        return is_forsaken or is_lost

    def _is_lost(self, now: float) -> bool:
        return self.lease_until is not None and self.lease_until < now

    def _lose_lease(self, now: float) -> None:
        if self.status is Status.PENDING:
            self.wait_for_claim(now)
        elif self.attempt > self.given.retries or self.cancel_reason is not None:
            self.end(EventType.ERROR, now)
        else:
            self.status = advance(self.status, EventType.RESTARTED)
            self.types.append(EventType.RESTARTED)
            self.wait_for_claim(now)

    def _is_forsaken(self, now: float) -> bool:
        given = self.given
        if self.status.is_terminal or self.cancel_reason or given.detached or given.linger is None:
            return False
        holds = [min(until, now) for until in self.readers.values()]
        self.read_until = max([self.read_until, *holds])
        return now - self.read_until > given.linger
