"""A store does what a small model of it does, whatever is asked of it in whatever order."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeAlias, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from tests.stores.model import Model
from tests.stores.test_memory import MemoryHarness
from tests.stores.test_postgres import PostgresHarness
from tests.stores.test_redis import RedisHarness
from tests.stores.test_sqlite import SQLiteHarness
from tests.support.long import amount
from yieldwire.errors import (
    AppendConflict,
    Conflict,
    Fenced,
    ForeignCursor,
    KeyReused,
    NotFound,
    RunCancelled,
    YieldwireError,
)
from yieldwire.log.events import Block, Event, EventType
from yieldwire.log.message import Message
from yieldwire.log.run import RunRecord, Status
from yieldwire.log.transitions import CLAIM_SECONDS, arrival_seconds
from yieldwire.stores import Admission, RunStore
from yieldwire.testing.contract import StoreHarness
from yieldwire.testing.contract.harness import chunks, ending, log_of, raises, record

T = TypeVar("T")
Call: TypeAlias = Callable[[], Coroutine[Any, Any, object]]

# Whole seconds pass, and nothing is due at a whole second, so "by then" is never in doubt.
LEASE: Final = 10.5
LINGER: Final = 30.5
SHORT: Final = 0.5
"""Less than the caller that starts a run has to begin to read."""
RETENTION: Final = 50.5
HOLD: Final = 20.25
MOST: Final = 3
"""How many messages an inbox has room for."""

ENDS: Final = [EventType.DONE, EventType.ERROR, EventType.CANCELLED]


class StoreMachine(RuleBasedStateMachine):
    """Every rule is one call; after each, every run is compared with its model.

    ``path`` is where the harness can keep a file; it is deleted with the machine.
    """

    runs: Bundle[str] = Bundle("runs")

    def __init__(self, new_harness: Callable[[Path], StoreHarness]) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = TemporaryDirectory()
        self.harness = new_harness(Path(self.folder.name, "runs.db"))
        self.store: RunStore = self.harness.store
        # Only a store that outlives a process hands its pending runs to another one.
        self.claim_seconds = None if self.store.reach == "process" else CLAIM_SECONDS
        self.now = 0.0
        self.models: dict[str, Model] = {}
        self.keys: dict[str, str] = {}
        self.refused: dict[str, float] = {}
        self.feeds: dict[str, str] = {}
        self.gone: set[str] = set()

    def teardown(self) -> None:
        self.runner.run(self.store.close())
        self.runner.close()
        self.folder.cleanup()

    def do(self, call: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(call)

    def refuses(self, error: type[YieldwireError], call: Call) -> None:
        with raises(error):
            self.do(call())

    def model(self, run: str, call: Call) -> Model | None:
        """Return the run's model; where the run is gone, check that ``call`` says so."""
        model = self.models.get(run)
        if model is None:
            self.refuses(NotFound, call)
        return model

    # Starting.

    @initialize(target=runs)
    def first_run(self) -> str:
        run = self.start(Admission(fingerprint="f"), record(retries=1, retention=RETENTION))
        self.claim(run, LEASE)
        return run

    @rule(
        target=runs,
        key=st.sampled_from([None, None, "k", "l"]),
        fingerprint=st.sampled_from("fg"),
        retries=st.integers(0, 2),
        keep=st.sampled_from([None, None, 1, 3]),
        detached=st.booleans(),
        linger=st.sampled_from([LINGER, SHORT, None]),
        claims=st.sampled_from(["not", "then", "at once"]),
    )
    def create(  # noqa: PLR0913 - a rule's choices
        self,
        *,
        key: str | None,
        fingerprint: str,
        retries: int,
        keep: int | None,
        detached: bool,
        linger: float | None,
        claims: str,
    ) -> str:
        given = record(
            retries=retries, keep=keep, detached=detached, linger=linger, retention=RETENTION
        )
        admission = Admission(key=key, fingerprint=fingerprint)
        if claims == "at once":
            admission = replace(admission, claims=True, lease=LEASE)
        run = self.start(admission, given)
        if claims == "then":
            self.claim(run, LEASE)
        return run

    @rule(
        target=runs,
        key=st.sampled_from([None, None, "k"]),
        linger=st.sampled_from([LINGER, SHORT, None]),
    )
    def open_a_feed(self, *, key: str | None, linger: float | None) -> str:
        given = record(linger=linger, retention=RETENTION)
        run = self.start(Admission(key=key, fingerprint="f", feed="x"), given)
        self.claim(run, LEASE)
        return run

    @rule(run=runs)
    def cancel_a_feed_and_open_it_again(self, run: str) -> None:
        self.cancel(run, "requested")
        self.open_a_feed(key=None, linger=None)

    def start(self, admission: Admission, given: RunRecord) -> str:
        start = partial(self.store.create, given, admission)
        key, fingerprint = admission.key, admission.fingerprint
        known = self.keys.get(key) if key is not None else None
        if known is not None and self.models[known].fingerprint != fingerprint:
            self.refuses(KeyReused, start)
            return known
        if known is None and key in self.refused:
            self.refuses(RunCancelled, start)
            return given.id
        made = self.do(start())
        if known is not None:
            assert made.id == known
            return known
        joined = self.models.get(self.feeds.get(admission.feed or "", ""))
        if joined is not None and joined.is_open:
            assert made.id == joined.given.id
            arrival = self.now + arrival_seconds(joined.given)
            joined.read_until = max(joined.read_until, arrival)
            return made.id
        if admission.feed is not None:
            self.feeds[admission.feed] = made.id
        assert made.id == given.id
        model = self.models[made.id] = Model(
            given=given,
            key=key,
            fingerprint=fingerprint,
            read_until=self.now + arrival_seconds(given),
            feed=admission.feed,
            claim_seconds=self.claim_seconds,
        )
        if admission.claims:
            model.begin(made.fence, self.now, admission.lease)
        else:
            model.wait_for_claim(self.now)
        if key is not None:
            self.keys[key] = made.id
        return made.id

    @rule(key=st.sampled_from("kl"), seconds=st.sampled_from([LINGER, RETENTION]))
    def refuse(self, key: str, seconds: float) -> None:
        found = self.do(self.store.refuse(key, seconds=seconds))
        assert (found and found.id) == self.keys.get(key)
        if found is None:
            self.refused[key] = max(self.refused.get(key, 0.0), self.now + seconds)

    @rule(run=runs, lease=st.sampled_from([LEASE, LEASE, None]))
    def claim(self, run: str, lease: float | None) -> None:
        call = partial(self.store.claim, run, lease=lease)
        if (model := self.model(run, call)) is None:
            return
        if model.status is not Status.PENDING:
            self.refuses(Fenced, call)
            return
        claimed = self.do(call())
        assert claimed.fence > model.fence
        model.begin(claimed.fence, self.now, lease)

    # Writing.

    async def append(self, run: str, block: Block, *, fence: int) -> int:
        return await self.store.append(run, block, after=block.first - 1, fence=fence)

    def wrote(self, model: Model, block: Block) -> None:
        assert self.do(self.append(model.given.id, block, fence=model.fence)) == block.last
        model.blocks.append(block)
        for event in block.events():
            model.types.append(event.type)
            if event.is_terminal:
                model.types.pop()
                model.end(event.type, self.now)

    @rule(
        run=runs,
        size=st.integers(1, 4),
        end=st.sampled_from([None, None, None, *ENDS]),
        again=st.booleans(),
    )
    def write(self, run: str, *, size: int, end: EventType | None, again: bool) -> None:
        model = self.model(run, partial(self.append, run, chunks(run, 1, size), fence=1))
        if model is None:
            return
        block = chunks(run, model.seq + 1, size, f"by {model.fence}")
        if end is not None:
            block = Block.join([block, ending(run, block.last + 1, end)])
        if model.may_write:
            self.wrote(model, block)
            if again:
                self.write_again(run, 0)
        else:
            self.refuses(Fenced, partial(self.append, run, block, fence=model.fence))

    @rule(run=runs, back=st.integers(1, 3))
    def write_by_a_fence_that_is_over(self, run: str, back: int) -> None:
        model = self.models.get(run)
        if model is None or len(model.fences) <= back:
            return
        stale = model.fences[-1 - back]
        self.refuses(Fenced, partial(self.append, run, chunks(run, model.seq + 1, 1), fence=stale))
        for block in model.blocks[-1:]:
            self.refuses(Fenced, partial(self.append, run, block, fence=stale))
        self.refuses(Fenced, partial(self.store.heartbeat, run, fence=stale, lease=LEASE))
        self.refuses(Fenced, partial(self.store.save, run, "saved", b"stale", fence=stale))
        self.refuses(Fenced, partial(self.store.restart, run, fence=stale, delay=0.0))

    @rule(run=runs, writes=st.booleans())
    def lose_the_worker_and_begin_again(self, run: str, *, writes: bool) -> None:
        model = self.models.get(run)
        if model is None or not model.may_write or model.lease_until is None:
            return
        if writes:
            self.wrote(model, chunks(run, model.seq + 1, 1, f"by {model.fence}"))
            self.every_run_is_as_its_model_says()  # before a feed's log is trimmed
        self.let_time_pass(seconds=11, sweeps=True)
        if model.status is Status.PENDING:
            self.claim(run, LEASE)
        self.write_by_a_fence_that_is_over(run, 1)

    @rule(run=runs, off=st.sampled_from([-2, -1, 1, 2]))
    def write_at_a_wrong_place(self, run: str, off: int) -> None:
        model = self.models.get(run)
        if model is None or not model.may_write or model.seq + off < 0:
            return
        block = chunks(run, model.seq + off + 1, 1, "intruder")
        self.refuses(AppendConflict, partial(self.append, run, block, fence=model.fence))

    @rule(run=runs, back=st.integers(0, 3))
    def write_again(self, run: str, back: int) -> None:
        model = self.models.get(run)
        if model is None or len(model.blocks) <= back:
            return
        block = model.blocks[-1 - back]
        if block.first < model.first_seq:
            return  # trimmed: there is nothing to compare it with
        again = partial(self.append, run, block, fence=model.fence)
        held = self.do(self.store.get(run)).fence == model.fence
        if held:
            assert self.do(again()) == block.last
        else:
            self.refuses(Fenced, again)

    # Messages, checkpoints, restarts.

    @rule(
        run=runs,
        key=st.sampled_from([None, None, "k"]),
        question=st.sampled_from([None, "1", "2"]),
        data=st.sampled_from([b"1", b"2"]),
        is_timeout=st.booleans(),
        again=st.booleans(),
    )
    def send(
        self,
        run: str,
        *,
        key: str | None,
        question: str | None,
        data: bytes,
        is_timeout: bool,
        again: bool,
    ) -> None:
        message = Message(0, data, question, key=key, is_timeout=is_timeout and bool(question))
        call = partial(self.store.send, run, message, most=MOST, most_bytes=1_000)
        if (model := self.model(run, call)) is None:
            return
        outcome = model.outcome_of(message, MOST)
        if isinstance(outcome, Message):
            assert self.do(call()) == outcome
        elif outcome is not None:
            self.refuses(outcome, call)
        else:
            sent = self.do(call())
            assert sent == message._replace(number=len(model.messages) + 1, at=sent.at)
            model.messages.append(sent)
        if again:
            self.send(
                run, key=key, question=question, data=data, is_timeout=is_timeout, again=False
            )
        self.receive(run, after=0)

    @rule(run=runs, after=st.integers(0, 4))
    def receive(self, run: str, after: int) -> None:
        call = partial(self.store.inbox, run, after)
        if (model := self.model(run, call)) is not None:
            assert list(self.do(call())) == model.messages[after:]

    @rule(
        run=runs,
        name=st.sampled_from(["saved", "step:a"]),
        data=st.sampled_from([b"1", b"2"]),
        back=st.sampled_from([None, -1, 0, 1]),
    )
    def save(self, run: str, name: str, data: bytes, back: int | None) -> None:
        call = partial(self.store.save, run, name, data)
        if (model := self.model(run, partial(call, fence=1))) is None:
            return
        seq = None if back is None else max(0, model.seq - back)
        call = partial(call, seq=seq, fence=model.fence)
        if not model.may_write:
            self.refuses(Fenced, call)
        elif seq is not None and seq > model.seq:
            self.refuses(AppendConflict, call)
        else:
            self.do(call())
            model.checkpoints[name] = data
            model.saved_seq = model.saved_seq if seq is None else seq
        assert self.do(self.store.saved(run)) == model.checkpoints

    @rule(run=runs, delay=st.sampled_from([0, 20]))
    def restart(self, run: str, delay: int) -> None:
        call = partial(self.store.restart, run, delay=delay)
        if (model := self.model(run, partial(call, fence=1))) is None:
            return
        call = partial(call, fence=model.fence)
        if not model.may_write:
            self.refuses(Fenced, call)
            return
        model.restart(self.now, delay)
        assert self.do(call()) == self.do(self.store.get(run))
        (event,) = self.do(log_of(self.store, run, model.seq - 1))
        if model.status is Status.PENDING:
            assert event.value == {"attempt": model.attempt + 1, "keep": model.saved_seq}
        self.refuses(Fenced, call)

    # Leases, cancelling, time.

    @rule(run=runs)
    def beat(self, run: str) -> None:
        call = partial(self.store.heartbeat, run, lease=LEASE)
        if (model := self.model(run, partial(call, fence=1))) is None:
            return
        call = partial(call, fence=model.fence)
        if model.may_write:
            assert self.do(call()) == model.cancel_reason
            model.lease_until = self.now + LEASE
        else:
            self.refuses(Fenced, call)

    @rule(run=runs, reason=st.sampled_from(["requested", "another"]))
    def cancel(self, run: str, reason: str) -> None:
        if (model := self.model(run, partial(self.store.request_cancel, run, reason))) is None:
            return
        model.ask_to_stop(reason, self.now)
        answered = self.do(self.store.request_cancel(run, reason))
        assert answered == self.do(self.store.get(run))

    @rule(run=runs, reader=st.sampled_from(["tab", "phone"]), seconds=st.sampled_from([0, HOLD]))
    def hold(self, run: str, reader: str, seconds: float) -> None:
        self.do(self.store.hold(run, reader, seconds=seconds))
        if (model := self.models.get(run)) is None:
            return
        if seconds:
            model.readers[reader] = self.now + seconds
        else:
            model.readers.pop(reader, None)
            model.read_until = max(model.read_until, self.now) if model.feed else self.now

    @rule(seconds=st.sampled_from([1, 5, 11, 31, 51]), sweeps=st.booleans())
    def let_time_pass(self, *, seconds: int, sweeps: bool) -> None:
        self.do(self.harness.advance(seconds))
        self.now += seconds
        if sweeps:
            self.sweep()

    @rule(seconds=st.sampled_from([-86_400, 3_600, 10_000_000]))
    def set_the_wall_clock(self, seconds: int) -> None:
        self.do(self.harness.jump(seconds))

    @rule()
    def sweep(self) -> None:
        expected = {run for run, model in self.models.items() if model.sweep(self.now)}
        self.refused = {key: until for key, until in self.refused.items() if until > self.now}
        changed = self.do(self.store.sweep())
        assert {run.id for run in changed} == expected
        for run in changed:
            assert run == self.do(self.store.get(run.id))

    @rule()
    def purge(self) -> None:
        due = {
            run
            for run, model in self.models.items()
            if model.expires is not None and model.expires < self.now
        }
        assert {*self.do(self.store.purge())} == due
        for run in due:
            self.forget(run)

    @rule(run=runs)
    def purge_one(self, run: str) -> None:
        if (model := self.model(run, partial(self.store.purge, run))) is None:
            return
        if model.status.is_terminal:
            assert list(self.do(self.store.purge(run))) == [run]
            self.forget(run)
        else:
            self.refuses(Conflict, partial(self.store.purge, run))

    def forget(self, run: str) -> None:
        model = self.models.pop(run)
        if model.key is not None:
            assert self.keys.pop(model.key) == run
        self.gone.add(run)

    @rule()
    def open_again(self) -> None:
        self.do(self.harness.reopen())
        self.store = self.harness.store

    # Reading.

    @rule(run=runs, after=st.integers(0, 30), max_bytes=st.sampled_from([1, 200, 100_000]))
    def read(self, run: str, after: int, max_bytes: int) -> None:
        if (model := self.model(run, partial(self.store.read, run, after))) is None:
            return
        call = partial(self.store.read, run, after, max_bytes=max_bytes)
        if after > model.seq:
            self.refuses(ForeignCursor, call)
            return
        events = [event for block in self.do(call()) for event in block.events()]
        begin = max(after, model.first_seq - 1)
        assert events == model.seen[begin : begin + len(events)]
        assert bool(events) == (after < model.seq)

    @rule(run=runs, back=st.integers(0, 4))
    def read_on(self, run: str, back: int) -> None:
        if (model := self.models.get(run)) is not None:
            self.read(run, max(0, model.seq - back), 100_000)

    @invariant()
    def every_run_is_as_its_model_says(self) -> None:
        for run, model in self.models.items():
            kept = self.do(self.store.get(run))
            self.check_record(model, kept)
            self.check_log(model, kept, self.do(log_of(self.store, run)))
        for run in self.gone:
            self.refuses(NotFound, partial(self.store.get, run))

    def check_record(self, model: Model, kept: RunRecord) -> None:
        assert (kept.status, kept.seq) == (model.status, model.seq)
        assert (kept.attempt, kept.cancel_reason) == (model.attempt, model.cancel_reason)
        assert kept.saved_seq == model.saved_seq
        assert (kept.ended_at is None) == (not model.status.is_terminal)
        assert kept.fence >= model.fence
        assert kept.first_seq >= model.first_seq

    def check_log(self, model: Model, kept: RunRecord, log: list[Event]) -> None:
        first = model.first_seq = kept.first_seq
        kept_at_least = model.seq if model.given.keep is None else min(model.seq, model.given.keep)
        assert model.seq - first + 1 >= kept_at_least
        assert [event.seq for event in log] == [*range(first, model.seq + 1)]  # E1
        assert [event.type for event in log] == model.types[first - 1 :]
        model.seen += log[max(0, len(model.seen) - first + 1) :]
        assert log == model.seen[first - 1 :]  # E2: what was read once never changes
        ends = [event.seq for event in log if event.is_terminal]
        assert ends == ([model.seq] if model.status.is_terminal else [])  # E3, E4


class MemoryMachine(StoreMachine):
    def __init__(self) -> None:
        super().__init__(lambda _: MemoryHarness())


class SQLiteMachine(StoreMachine):
    def __init__(self) -> None:
        super().__init__(SQLiteHarness)


class PostgresMachine(StoreMachine):
    def __init__(self) -> None:
        super().__init__(lambda _: PostgresHarness())


class RedisMachine(StoreMachine):
    def __init__(self) -> None:
        super().__init__(lambda _: RedisHarness())


MemoryMachine.TestCase.settings = settings(
    max_examples=amount(40, long=100), stateful_step_count=50, deadline=None, database=None
)
SQLiteMachine.TestCase.settings = settings(
    MemoryMachine.TestCase.settings, max_examples=amount(10, long=25)
)

RedisMachine.TestCase.settings = settings(
    MemoryMachine.TestCase.settings, max_examples=amount(4, long=8)
)
PostgresMachine.TestCase.settings = RedisMachine.TestCase.settings


TestMemoryStoreAgainstItsModel = MemoryMachine.TestCase
TestSQLiteStoreAgainstItsModel = SQLiteMachine.TestCase
TestPostgresStoreAgainstItsModel = PostgresMachine.TestCase
TestRedisStoreAgainstItsModel = RedisMachine.TestCase
