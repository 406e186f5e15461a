"""The steps that a store itself takes, as pure functions."""

import pytest
from pydantic_core import from_json

from yieldwire.errors import AppendConflict, Fenced
from yieldwire.log import transitions
from yieldwire.log.events import Block, EventType
from yieldwire.log.run import RunRecord, Status
from yieldwire.testing.contract.harness import chunks, ending, record

PENDING = record(retries=1)._replace(seq=3, fence=4, attempt=1)
RUNNING = PENDING._replace(status=Status.RUNNING)
ENDED = PENDING._replace(status=Status.COMPLETED, ended_at=1.0)


def test_a_claim_raises_fence_and_attempt() -> None:
    run = transitions.claim(PENDING, 7.0)

    assert (run.status, run.fence, run.attempt, run.started_at) == (Status.RUNNING, 7000, 2, 7.0)


def test_a_claim_raises_the_fence_although_the_clock_went_back() -> None:
    assert transitions.claim(PENDING, 0.001).fence == PENDING.fence + 1


@pytest.mark.parametrize("run", [RUNNING, ENDED])
def test_only_a_pending_run_is_claimed(run: RunRecord) -> None:
    with pytest.raises(Fenced, match="not pending"):
        transitions.claim(run, 7.0)


@pytest.mark.parametrize(("run", "fence"), [(RUNNING, 3), (RUNNING, 5), (PENDING, 4), (ENDED, 4)])
def test_only_the_holder_of_a_running_run_can_write(run: RunRecord, fence: int) -> None:
    transitions.check_right(RUNNING, 4)

    with pytest.raises(Fenced, match="this writer has lost it"):
        transitions.check_right(run, fence)


def test_an_append_moves_the_seq_and_an_end_ends() -> None:
    wrote = transitions.append(RUNNING, chunks(RUNNING.id, 4, 2), 3, 7.0)
    ended = transitions.append(RUNNING, ending(RUNNING.id, 4), 3, 7.0)

    assert (wrote.seq, wrote.status) == (5, Status.RUNNING)
    assert (ended.seq, ended.status, ended.ended_at) == (4, Status.COMPLETED, 7.0)


@pytest.mark.parametrize(("first", "after"), [(4, 2), (5, 3), (5, 4)])
@pytest.mark.parametrize("kind", [EventType.CHUNK, EventType.DONE])
def test_an_append_that_does_not_fit_is_a_conflict(first: int, after: int, kind: EventType) -> None:
    block = Block.of_event(RUNNING.id, first, kind, b"{}")

    with pytest.raises(AppendConflict, match="is at seq"):
        transitions.append(RUNNING, block, after, 7.0)


def test_a_pending_run_that_is_asked_to_stop_is_cancelled() -> None:
    run, block = transitions.ask_to_stop(PENDING, "requested", 7.0)

    assert block is not None
    (event,) = block.events()
    assert (run.status, run.seq, run.fence, run.ended_at) == (Status.CANCELLED, 4, 5, 7.0)
    assert (event.seq, event.type) == (4, EventType.CANCELLED)
    assert from_json(event.data)["data"] == {"reason": "requested"}


def test_a_running_run_that_is_asked_to_stop_continues_with_a_flag() -> None:
    run, block = transitions.ask_to_stop(RUNNING, "requested", 7.0)
    again, other = transitions.ask_to_stop(run, "another", 8.0)

    assert (run.cancel_reason, run.status, run.fence, block) == (
        "requested",
        Status.RUNNING,
        4,
        None,
    )
    assert (again, other) == (run, None)


def test_an_ended_run_stays_as_it_is() -> None:
    assert transitions.ask_to_stop(ENDED, "requested", 7.0) == (ENDED, None)


def test_a_lost_run_is_begun_again_while_it_may() -> None:
    run, block = transitions.take_away(RUNNING, 7.0)

    assert block is not None
    assert [event.type for event in block.events()] == [EventType.RESTARTED]
    assert (run.status, run.seq, run.fence, run.attempt) == (Status.PENDING, 4, 5, 1)


@pytest.mark.parametrize("saved_seq", [0, 2])
def test_another_attempt_says_which_events_stay_valid(saved_seq: int) -> None:
    run = RUNNING._replace(saved_seq=saved_seq)

    for lost, block in (transitions.take_away(run, 7.0), transitions.restart(run, 4, 7.0)):
        assert block is not None
        (event,) = block.events()
        assert event.value == {"attempt": 2, "keep": saved_seq}
        assert (lost.status, lost.seq, lost.fence) == (Status.PENDING, 4, 5)
        assert lost.saved_seq == saved_seq


def test_an_attempt_can_end_itself_whatever_its_number() -> None:
    run, _ = transitions.restart(RUNNING._replace(attempt=9), 4, 7.0)

    assert run.status is Status.PENDING


def test_a_run_that_was_asked_to_stop_is_cancelled_instead_of_restarted() -> None:
    run, block = transitions.restart(RUNNING._replace(cancel_reason="unattended"), 4, 7.0)

    (event,) = block.events()
    assert (run.status, run.fence, run.ended_at) == (Status.CANCELLED, 5, 7.0)
    assert event.value["data"] == {"reason": "unattended"}


@pytest.mark.parametrize(("run", "fence"), [(RUNNING, 3), (RUNNING, 5), (PENDING, 4), (ENDED, 4)])
def test_only_the_holder_of_a_running_run_restarts_it_or_saves(run: RunRecord, fence: int) -> None:
    with pytest.raises(Fenced, match="this writer has lost it"):
        transitions.restart(run, fence, 7.0)
    with pytest.raises(Fenced, match="this writer has lost it"):
        transitions.save(run, None, fence)


def test_a_saved_place_is_an_event_of_the_log() -> None:
    saved = [transitions.save(RUNNING, seq, 4).saved_seq for seq in (None, 0, 3)]

    assert saved == [0, 0, 3]
    with pytest.raises(AppendConflict, match="at seq 3, before 4"):
        transitions.save(RUNNING, 4, 4)


@pytest.mark.parametrize(
    "run", [RUNNING._replace(attempt=2), RUNNING._replace(cancel_reason="requested")]
)
def test_a_lost_run_that_cannot_be_begun_again_fails(run: RunRecord) -> None:
    lost, block = transitions.take_away(run, 7.0)

    assert block is not None
    assert (lost.status, lost.fence, lost.ended_at) == (Status.FAILED, 5, 7.0)
    assert from_json(next(block.events()).data)["code"] == "INTERRUPTED"


def test_a_run_that_was_not_begun_cannot_be_lost() -> None:
    assert transitions.take_away(PENDING, 7.0) == (PENDING, None)


@pytest.mark.parametrize(
    ("run", "forsaken"),
    [
        (RUNNING._replace(linger=10.0), True),
        (RUNNING._replace(linger=20.0), False),
        (RUNNING._replace(linger=30.0), False),
        (RUNNING._replace(linger=None), False),
        (RUNNING._replace(linger=10.0, detached=True), False),
        (RUNNING._replace(linger=10.0, cancel_reason="requested"), False),
    ],
)
def test_a_run_is_forsaken_when_its_readers_were_away_longer_than_it_lingers(
    run: RunRecord,
    forsaken: bool,  # noqa: FBT001 - a row of the table
) -> None:
    assert transitions.is_forsaken(run, 100.0, 120.0) is forsaken
