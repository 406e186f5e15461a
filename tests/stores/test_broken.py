"""The suite that stores must pass sees the fault of every store that has one.

Each broken store is paired with the promise that it breaks, by the name of the contract's test.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from inspect import getmembers, isclass, isfunction
from pathlib import Path
from typing import Final, TypeAlias, cast

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from tests.stores import broken
from tests.stores.test_model import StoreMachine
from tests.stores.toy import Data, ToyStore
from tests.support.long import amount
from tests.support.virtual import run_virtually
from yieldwire.errors import YieldwireError
from yieldwire.stores import RunStore
from yieldwire.stores.memory import MemoryStore
from yieldwire.stores.sqlite import SQLiteStore
from yieldwire.testing.clock import MovingClock
from yieldwire.testing.contract import StoreContract
from yieldwire.testing.contract.pairing import PairContract

Make: TypeAlias = Callable[..., RunStore]

SEARCH: Final = settings(
    max_examples=1000,
    stateful_step_count=40,
    database=None,
    derandomize=True,  # the same search every time
    phases=[Phase.generate],  # a smaller example would say no more
    print_blob=False,
)


class Harness:
    """Any store on a clock of its own; one with a file is opened again."""

    def __init__(self, make: Make, path: Path) -> None:
        self.clock = MovingClock()
        self._open = partial(make, clock=self.clock)
        if isinstance(make, type) and issubclass(make, ToyStore):
            self._open = partial(self._open, Data())
        elif not (isinstance(make, type) and issubclass(make, MemoryStore)):
            self._open = partial(self._open, path)
        self.store = self._open()
        self._others: list[RunStore] = []

    async def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)

    async def jump(self, seconds: float) -> None:
        self.clock.jump(seconds)

    async def another(self) -> RunStore:
        if self.store.reach == "process":
            return self.store
        self._others.append(self._open())
        return self._others[-1]

    async def close(self) -> None:
        for store in [self.store, *self._others]:
            await store.close()

    async def reopen(self) -> None:
        if self.store.reach != "process":
            await self.store.close()
            self.store = self._open()


def promises_of_the_contract() -> Iterator[str]:
    for name, _ in getmembers(StoreContract, isfunction):
        if name.startswith("test_"):
            yield name


def failures_of(
    make: Make, folder: Path, promises: Iterable[str] | None = None
) -> dict[str, Exception]:
    """Run the whole contract, or some of it, and return the tests that fail with why they do."""
    failures: dict[str, Exception] = {}
    for name in promises or promises_of_the_contract():
        harness = Harness(make, folder / f"{name}.db")
        try:
            # A store without threads waits in no time at all.
            run = asyncio.run if isinstance(harness.store, SQLiteStore) else run_virtually
            run(check(name, harness))
        except Exception as exc:  # noqa: BLE001 - however it fails, it has seen something
            failures[name] = exc
    return failures


def name_of(each: object) -> str:
    return each.__name__ if isinstance(each, type) else str(each)


async def check(name: str, harness: Harness) -> None:
    try:
        await getattr(StoreContract(), name)(harness)
    finally:
        await harness.close()


BROKEN: Final[Mapping[type[RunStore], str]] = {
    # E1, E2: contiguous, immutable
    broken.LeavesAGap: "test_a_writer_that_is_ahead_of_the_log_is_refused",
    broken.Repeats: "test_the_same_append_again_is_answered_as_success",
    broken.ChangesBytes: "test_a_block_is_kept_byte_for_byte",
    broken.ForgetsWhatItSaid: "test_a_log_reads_the_same_every_time",
    broken.WritesBeforeItRefuses: "test_a_block_that_does_not_follow_is_refused",
    # E3, E4: one terminal event, and its status with it
    broken.EndsTwice: "test_a_run_that_has_ended_cannot_be_written_to",
    broken.EndsWithoutAnEvent: "test_a_block_can_hold_the_last_chunks_and_the_end",
    broken.EndsWithoutAStatus: "test_a_block_can_hold_the_last_chunks_and_the_end",
    broken.EndsInTwoSteps: "test_no_reader_sees_the_end_in_one_place_only",
    # R1, R3: resuming
    broken.IgnoresTheCursor: "test_a_log_can_be_read_from_behind_every_event",
    broken.AnswersForeignCursors: "test_a_cursor_beyond_the_log_is_foreign",
    broken.WakesNobody: "test_an_append_wakes_every_reader",
    broken.ShowsOthersRuns: "test_an_owner_finds_only_their_own",
    # W1, W2: fencing, compare and append
    broken.RefusesTheNeighbours: "test_appends_that_are_made_at_once_each_have_their_own_outcome",
    broken.IgnoresTheFence: "test_a_writer_without_the_fence_is_refused",
    broken.SweepsWithTheOldFence: "test_a_worker_that_was_given_up_can_change_nothing",
    broken.RenewsForAnybody: "test_a_heartbeat_with_another_fence_is_refused",
    broken.TakesOtherBytesForARepeat: "test_a_writer_that_is_behind_the_log_is_refused",
    # X1, X2, C6: attempts, and the wish to stop
    broken.ClaimsTwice: "test_claims_that_race_begin_one_attempt",
    broken.TriesForEver: "test_attempts_run_out",
    broken.KeepsTheWishToStop: "test_a_heartbeat_brings_the_wish_to_stop",
    broken.BelievesTheLastReason: "test_the_first_reason_stays",
    # I1, I2, I4: starts
    broken.CountsTooEarly: "test_starts_that_race_do_not_pass_a_limit",
    broken.LooksTheKeyUpTooEarly: "test_starts_that_race_with_one_key_make_one_run",
    broken.LooksTheFeedUpTooEarly: "test_starts_that_race_for_one_feed_make_one_run",
    broken.SharesAFeedThatStops: "test_a_feed_that_was_asked_to_stop_starts_again",
    broken.FreesTheFeedOfTheNextRun: "test_the_end_of_an_older_run_leaves_the_feed_to_the_newer",
    broken.KeepsWhatItRefuses: "test_the_same_key_with_another_input_is_refused",
    broken.ForgetsTheKeyWithTheEnd: "test_a_key_finds_its_run_as_it_is_by_then",
    broken.KeepsTheKeyOfAPurgedRun: "test_a_purge_sets_the_key_free",
    # T1, T2, T4: retention and clocks
    broken.PurgesByAge: "test_a_run_that_has_not_ended_is_never_forgotten",
    broken.PurgesRunningRuns: "test_only_an_ended_run_can_be_forgotten_by_name",
    broken.LivesByTheWallClock: "test_the_wall_clock_can_jump",
    # Opened again
    broken.ForgetsAtTheClose: "test_a_store_that_was_closed_opens_again_with_its_runs",
    # Q1, Q2, Q6, Q7: messages
    broken.GivesANumberAgain: "test_messages_are_numbered_in_the_order_of_acceptance",
    broken.IgnoresTheKeyOfAMessage: "test_the_same_key_returns_the_same_message",
    broken.LooksTheKeyOfAMessageUpTooEarly: "test_messages_that_race_with_one_key_are_one_message",
    broken.TakesASecondAnswer: "test_the_first_answer_to_a_question_counts",
    broken.TakesAnAnswerAfterTheTimeout: "test_an_answer_after_the_timeout_is_refused",
    broken.TakesMessagesAfterTheEnd: "test_a_run_that_has_ended_takes_no_messages",
    broken.HasRoomForAnything: "test_an_inbox_has_room_for_a_number_of_bytes",
    broken.RefusesATimeoutForRoom: "test_a_timeout_is_never_refused_for_room",
    broken.WakesNobodyForAMessage: "test_a_message_wakes_everybody_who_waits",
    broken.LetsWaitBehindTheEnd: "test_the_end_of_a_run_ends_waits_for_messages",
    broken.KeepsMessagesToItself: "test_messages_outlive_another_opening",
    # S2: checkpoints, and attempts that end themselves
    broken.SavesForAnybody: "test_a_worker_that_was_given_up_can_save_nothing",
    broken.SavesAPlaceThatIsNotThere: "test_a_place_beyond_the_log_cannot_be_saved",
    broken.KeepsNothingInItsEvent: "test_the_next_attempt_has_what_was_saved",
    broken.ForgetsCheckpointsWithTheAttempt: "test_the_next_attempt_has_what_was_saved",
    broken.RestartsForAnybody: "test_only_the_running_attempt_can_restart",
    broken.RestartsWithTheOldFence: "test_a_restarted_run_is_pending",
    broken.RestartsAtOnce: "test_a_restarted_run_is_not_handed_out_before_its_delay",
    # Who of those in a queue is next
    broken.GivesARunTwice: "test_a_run_in_a_queue_is_taken_once",
    broken.CountsNoSlots: "test_an_action_has_a_limited_number_of_slots",
    broken.ServesTheFirst: "test_a_caller_with_fewer_runs_in_progress_is_taken_first",
    broken.HandsOutWhatWaits: "test_a_run_that_was_not_claimed_in_time_waits_again",
    broken.TakesLateRunsEarly: "test_a_run_that_restarts_waits_for_its_delay",
    broken.StartsLateRunsEarly: "test_a_run_without_a_queue_is_handed_out_at_its_time",
    broken.WakesNoWorker: "test_a_new_run_ends_a_wait",
    broken.LosesWhatWasNotClaimed: "test_a_run_that_was_not_claimed_in_time_waits_again",
    broken.ForgetsWhoStops: "test_many_runs_can_be_asked_about_at_once",
    # Refused keys
    broken.RefusesNothing: "test_a_refused_key_begins_no_run",
    broken.RefusesWhatHasARun: "test_a_key_that_has_a_run_is_not_refused",
    broken.RefusesForEver: "test_a_refusal_is_forgotten_after_its_time",
    # R7: access that was revoked
    broken.ForgetsRevocations: "test_each_revocation_is_told_of_behind_the_one_before",
    broken.HidesWhatItForgot: "test_a_caller_that_missed_revocations_is_told_so",
    broken.RevokesByAnotherClock: "test_a_revocation_has_its_owner_and_its_time",
    # Webhooks: an event and its deliveries are one step
    broken.TellsOnlyOfAppends: "test_each_way_to_end_creates_deliveries",
    broken.TellsInASecondStep: "test_the_end_of_a_run_creates_its_deliveries",
    broken.TellsOfNoQuestion: "test_a_question_creates_its_deliveries",
    broken.ForgetsTheLeaseOfWhoAsks: "test_a_question_does_not_end_what_its_worker_holds",
    broken.SendsTwice: "test_a_delivery_is_claimed_by_one_caller",
    broken.SettlesForAnybody: "test_a_late_failure_does_not_change_a_newer_try",
    broken.ForgetsDeliveriesWithTheRun: "test_deliveries_outlive_the_runs_retention",
    # Several instances
    broken.WakesOnlyItsOwn: "test_an_append_wakes_readers_of_another_instance",
    broken.RemembersRecords: "test_what_one_instance_wrote_another_reads",
    broken.LooksUpItsOwnKeys: "test_starts_that_race_through_two_instances_make_one_run",
    broken.CountsItsOwnReaders: "test_a_reader_of_one_instance_counts_in_the_sweep_of_another",
    broken.BelievesItsOwnClaims: "test_a_worker_whose_run_was_taken_over_elsewhere_is_refused",
    broken.KeepsWhatItHasRead: "test_what_one_instance_deleted_another_does_not_have",
}

MISSPELT: Final[Mapping[str, str]] = {
    "renews a lease with any fence": "test_a_heartbeat_with_another_fence_is_refused",
    "renews a lease that has ended": "test_a_heartbeat_for_a_run_that_does_not_run_is_refused",
    "takes away what is still held": "test_a_heartbeat_renews_the_lease",
    "counts an event too many": "test_a_block_is_kept_byte_for_byte",
    "counts one too many together": "test_a_cursor_beyond_the_log_is_foreign",
    "takes a run twice": "test_a_run_in_a_queue_is_taken_once",
    "takes from every queue": "test_a_run_of_another_queue_is_not_taken",
    "takes what must wait": "test_a_run_is_not_taken_before_its_time",
    "takes the newest first": "test_the_oldest_run_is_taken_first",
    "sees only runs that run": "test_an_action_has_a_limited_number_of_slots",
    "counts what was taken": "test_a_line_tells_how_many_runs_wait_and_since_when",
    "counts what starts later": "test_a_line_tells_how_many_runs_wait_and_since_when",
    "knows places of other queues": "test_only_a_run_that_waits_has_a_place",
    "knows one rank for all priorities": "test_a_line_knows_how_many_runs_are_before_each",
    "waits from the creation": "test_a_run_that_starts_later_waits_from_its_time",
    "asks about every run": "test_many_runs_can_be_asked_about_at_once",
    "begins a block too late": "test_a_log_reads_the_same_every_time",
    "puts a block with any fence": "test_a_writer_without_the_fence_is_refused",
    "puts a block anywhere": "test_a_writer_that_is_ahead_of_the_log_is_refused",
    "puts a block behind an end": "test_a_run_that_has_ended_cannot_be_written_to",
    "puts a block and trims nothing": "test_a_feed_keeps_its_newest_events",
    "loses the end of a block": "test_what_one_instance_wrote_another_reads",
    "tells nobody of an end": "test_the_end_of_a_run_creates_its_deliveries",
    "appends to a log that has ended": "test_a_run_that_has_ended_cannot_be_written_to",
    "trims from the newest block on": "test_trimming_keeps_a_block_that_is_still_needed",
    "reads a block too few": "test_what_one_instance_wrote_another_reads",
    "shares a feed that has ended": "test_a_feed_that_has_ended_starts_again",
    "shares a feed that stops": "test_a_feed_that_was_asked_to_stop_starts_again",
    "takes every feed for the same": "test_two_feeds_are_two_runs",
    "does not wait for who joins": "test_who_finds_a_feed_has_its_whole_linger_time",
    "counts runs that have ended": "test_a_run_that_has_ended_gives_its_place_back",
    "counts everybody's runs": "test_limits_count_each_caller_apart",
    "misses that a reader leaves": "test_a_run_lingers_from_when_its_last_reader_left",
    "waits for who has left": "test_a_run_whose_starter_leaves_at_once_waits_no_longer",
    "purges what has not expired": "test_retention_counts_from_the_end",
    "trims what is kept": "test_a_trimmed_log_says_where_it_begins",
    "does not say what was trimmed": "test_a_feed_keeps_its_newest_events",
    "forgets when a run ended": "test_the_terminal_event_and_the_status_are_one_step",
    "keeps what has ended forever": "test_a_run_is_forgotten_when_its_retention_is_over",
    "claims without an attempt": "test_a_claim_begins_an_attempt",
    "claims without a lease": "test_a_run_whose_worker_is_lost_is_interrupted",
    "tells of revocations again": "test_each_revocation_is_told_of_behind_the_one_before",
    "gives the first number again": "test_messages_are_numbered_in_the_order_of_acceptance",
    "counts timeouts as messages": "test_a_timeout_is_never_refused_for_room",
    "counts no bytes": "test_an_inbox_has_room_for_a_number_of_bytes",
    "takes messages after the end": "test_a_run_that_has_ended_takes_no_messages",
    "looks in every inbox for a key": "test_each_run_has_its_own_inbox",
    "finds no message by its key": "test_the_same_key_returns_the_same_message",
    "finds no answer": "test_the_first_answer_to_a_question_counts",
    "reads a message again": "test_messages_are_numbered_in_the_order_of_acceptance",
    "saves with any fence": "test_a_worker_that_was_given_up_can_save_nothing",
    "saves in a run that does not run": "test_only_the_running_attempt_can_save",
    "saves a place beyond the log": "test_a_place_beyond_the_log_cannot_be_saved",
    "saves the first place": "test_the_saved_place_is_in_the_record",
    "keeps the first checkpoint": "test_checkpoints_are_kept_by_name",
    "counts owners, not revocations": "test_of_an_owners_revocations_the_newest_counts",
    "sends what is not due": "test_what_failed_is_due_again_after_its_pause",
    "sends to who is left out": "test_urls_can_be_left_out",
    "counts no try": "test_what_a_lost_process_claimed_is_due_again",
    "settles for another URL too": "test_what_was_delivered_is_not_due_again",
    "settles an older try": "test_a_late_failure_does_not_change_a_newer_try",
    "tells of other runs' deliveries": "test_the_deliveries_about_a_run_say_what_became_of_them",
    "keeps every dead letter": "test_dead_letters_are_told_newest_first_and_are_limited",
    "forgets what waits as dead": "test_dead_letters_are_told_newest_first_and_are_limited",
    "deletes other runs' deliveries": "test_deleting_a_run_deletes_its_deliveries",
}

SEEN_BY_THE_MACHINE: Final = [
    broken.LeavesAGap,
    broken.Repeats,
    broken.ForgetsWhatItSaid,
    broken.WritesBeforeItRefuses,
    broken.EndsTwice,
    broken.IgnoresTheCursor,
    broken.AnswersForeignCursors,
    broken.IgnoresTheFence,
    broken.SweepsWithTheOldFence,
    broken.RenewsForAnybody,
    broken.ClaimsTwice,
    broken.TriesForEver,
    broken.BelievesTheLastReason,
    broken.SharesAFeedThatStops,
    broken.PurgesByAge,
    broken.PurgesRunningRuns,
    broken.LivesByTheWallClock,
    broken.GivesANumberAgain,
    broken.IgnoresTheKeyOfAMessage,
    broken.SavesForAnybody,
    broken.RestartsForAnybody,
]
"""What shows when calls come one after the other, in few enough steps."""

SEEN_LATE: Final = [
    broken.KeepsTheKeyOfAPurgedRun,
    broken.TakesASecondAnswer,
    broken.TakesMessagesAfterTheEnd,
]
"""The same, after a search that takes seconds."""


@pytest.mark.parametrize("make", [MemoryStore, ToyStore])
def test_a_store_without_a_fault_fails_nothing(make: Make, tmp_path: Path) -> None:
    assert failures_of(make, tmp_path) == {}


def test_a_store_whose_statements_have_no_fault_keeps_the_promises_that_they_are_for(
    tmp_path: Path,
) -> None:
    assert failures_of(SQLiteStore, tmp_path, {*MISSPELT.values()}) == {}


@pytest.mark.parametrize(("make", "promise"), BROKEN.items(), ids=name_of)
def test_the_contract_sees_a_fault(make: Make, promise: str, tmp_path: Path) -> None:
    assert promise in failures_of(make, tmp_path, [promise])


@pytest.mark.parametrize(("fault", "promise"), MISSPELT.items(), ids=name_of)
def test_the_contract_sees_a_fault_in_a_statement(fault: str, promise: str, tmp_path: Path) -> None:
    assert promise in failures_of(broken.misspelt(fault), tmp_path, [promise])


@pytest.mark.timeout(240)  # how long a search takes depends on the rules of the machine
@pytest.mark.parametrize(
    "make", amount(SEEN_BY_THE_MACHINE, long=[*SEEN_BY_THE_MACHINE, *SEEN_LATE])
)
def test_the_state_machine_sees_a_fault(make: Make) -> None:
    machine = partial(StoreMachine, partial(Harness, make))

    with pytest.raises((AssertionError, YieldwireError)):  # a call that must not be refused can be
        run_state_machine_as_test(cast("type[RuleBasedStateMachine]", machine), settings=SEARCH)


def test_every_broken_store_is_paired_with_a_promise() -> None:
    stores = [each for _, each in getmembers(broken, isclass) if each.__module__ == broken.__name__]
    promises = {*BROKEN.values(), *MISSPELT.values()}

    assert {each for each in stores if issubclass(each, (MemoryStore, ToyStore))} == {*BROKEN}
    assert {*broken.STATEMENTS} == {*MISSPELT}
    assert promises <= {*promises_of_the_contract()}


SEEN_BY_TWO: Final = [
    broken.WakesOnlyItsOwn,
    broken.RemembersRecords,
    broken.CountsItsOwnReaders,
    broken.BelievesItsOwnClaims,
    broken.KeepsWhatItHasRead,
]
"""What shows in nothing that one instance does, not even after it was opened again."""


@pytest.mark.parametrize("make", SEEN_BY_TWO)
def test_faults_between_instances_show_in_no_test_of_one(make: Make, tmp_path: Path) -> None:
    pairs = {name for name, _ in getmembers(PairContract, isfunction) if name.startswith("test_")}

    assert {*failures_of(make, tmp_path)} <= pairs
