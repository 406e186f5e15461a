"""A snapshot is what the log adds up to."""

import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from yieldwire.log.events import Block, EventType
from yieldwire.log.run import RunRecord, Status
from yieldwire.log.snapshot import (
    FIRST_POLL_MS,
    SLOWEST_POLL_MS,
    Fold,
    Folds,
    retry_after_ms,
    summary,
)

RUN = "r1"


def record(**fields: Any) -> RunRecord:  # noqa: ANN401 - a record's own fields
    return RunRecord(id=RUN, action="count", quota_key="c")._replace(**fields)


def chunks(first: int, *values: object) -> Block:
    return Block.of_chunks(RUN, first, [to_json(value) for value in values])


def event(seq: int, kind: EventType, value: object) -> Block:
    return Block.of_event(RUN, seq, kind, to_json(value))


def fold(*blocks: Block) -> Fold:
    folded = Fold()
    for block in blocks:
        folded.add(block)
    return folded


TEXT = {"type": "text", "text": "a"}
PROGRESS = {"type": "progress", "current": 1}


CHUNKS = st.lists(
    st.sampled_from([TEXT, PROGRESS, "b", {"type": "append", "text": "c"}, [1], {"text": "no"}, 7]),
    min_size=1,
    max_size=8,
)


@given(st.lists(CHUNKS, min_size=1, max_size=4), st.booleans())
def test_it_is_the_same_however_the_events_are_grouped(
    groups: list[list[object]],
    has_ended: bool,  # noqa: FBT001 - drawn
) -> None:
    one_by_one, whole, seq = Fold(), Fold(), 0
    blocks: list[Block] = []
    for group in groups:
        blocks.append(chunks(seq + 1, *group))
        seq = blocks[-1].last
    if has_ended:
        end = event(seq + 1, EventType.DONE, {"result": 3})
        blocks[-1] = Block.join([blocks[-1], end])
    for block in blocks:
        whole.add(block)
        for each in block.events():
            one_by_one.add(Block.of_event(RUN, each.seq, each.type, each.data))

    shown = [each.snapshot(record(seq=seq), with_text=True) for each in (one_by_one, whole)]

    assert shown[0] == shown[1]
    assert one_by_one.seq == whole.seq


def test_text_accumulates_and_the_newest_progress_and_chunk_win() -> None:
    folded = fold(
        chunks(1, TEXT, PROGRESS, "b"),
        chunks(4, {"type": "append", "text": "c"}, {"type": "progress", "current": 2}, [1]),
    )

    snapshot = folded.snapshot(record(status=Status.RUNNING, seq=6), with_text=True)

    assert snapshot["text"] == "abc"
    assert snapshot["progress"] == {"type": "progress", "current": 2}
    assert snapshot["chunk"] == [1]
    assert folded.seq == 6


def test_a_log_without_text_has_none() -> None:
    folded = fold(chunks(1, PROGRESS, {"said": "progress"}, 3))

    assert folded.text is None
    assert folded.snapshot(record(), with_text=True)["progress"] == PROGRESS
    assert fold().snapshot(record(), with_text=True)["chunk"] is None


@pytest.mark.parametrize(
    "value", ['"progress"', {"type": "text", "text": "progress"}, ["progress"]]
)
def test_the_word_progress_makes_no_progress(value: object) -> None:
    assert fold(chunks(1, value)).snapshot(record(), with_text=True)["progress"] is None


def test_text_is_left_out_where_events_are_asked_for() -> None:
    assert "text" not in fold(chunks(1, TEXT)).snapshot(record(), with_text=False)


def test_a_feed_without_an_end_keeps_no_text() -> None:
    folded = Fold(keeps_text=False)

    folded.add(chunks(1, TEXT, "b", PROGRESS))

    assert (folded.text, folded.seq) == (None, 3)
    assert folded.snapshot(record(), with_text=True)["progress"] == PROGRESS


def test_another_attempt_starts_from_the_beginning() -> None:
    folded = fold(
        chunks(1, TEXT, PROGRESS), event(3, EventType.RESTARTED, {"attempt": 2}), chunks(4, "b")
    )

    snapshot = folded.snapshot(record(), with_text=True)

    assert (snapshot["text"], snapshot["progress"], snapshot["chunk"]) == ("b", None, "b")


LOGS = st.lists(
    st.sampled_from(["a", TEXT, PROGRESS, 7, "question", "answer", "save", "restarted"]),
    max_size=24,
)


def restarting_log(steps: list[object]) -> tuple[list[Block], list[Block]]:
    """Return a log, and the same without the chunks that do not count, with the same seqs."""
    log, counted, saved = list[Block](), list[Block](), 0
    for step in steps:
        seq = len(log) + 1
        match step:
            case "save":
                saved = len(log)
                continue
            case "restarted":
                log.append(event(seq, EventType.RESTARTED, {"attempt": 2, "keep": saved}))
                kept = [each for each in counted if each.first <= saved]
                counted = kept + [each for each in counted[len(kept) :] if b"!" in each.body]
                continue
            case "question":
                log.append(event(seq, EventType.QUESTION, {"id": str(seq)}))
            case "answer":
                log.append(event(seq, EventType.ANSWER, {"id": str(seq - 1)}))
            case _:
                log.append(chunks(seq, step))
        counted.append(log[-1])
    return log, counted


@given(LOGS, st.lists(st.integers(0, 24)))
def test_a_later_attempt_keeps_what_was_sent_up_to_the_saved_place(
    steps: list[object], places: list[int]
) -> None:
    log, counted = restarting_log(steps)
    blocks = list[Block]()
    for place, block in enumerate(log):
        blocks[-1:] = (
            [Block.join([*blocks[-1:], block])] if place in places else [*blocks[-1:], block]
        )

    whole, rewinds = Fold(), 0
    while not all(map(whole.add, blocks)):
        whole, rewinds = whole.rewound(), rewinds + 1

    shown = whole.snapshot(record(seq=len(log)), with_text=True)
    assert shown == fold(*counted).snapshot(record(seq=len(log)), with_text=True)
    assert whole.seq == len(log)
    assert rewinds <= steps.count("restarted")


def test_a_log_is_read_once_if_an_attempt_keeps_all_or_nothing() -> None:
    restarted = event(2, EventType.RESTARTED, {"attempt": 2, "keep": 1})
    again = event(3, EventType.RESTARTED, {"attempt": 3, "keep": 0})

    folded = Fold()

    assert [folded.add(block) for block in (chunks(1, "a"), restarted)] == [True, True]
    assert folded.text == "a"
    assert folded.add(again)
    assert folded.text is None


def test_a_fold_that_must_be_rewound_adds_nothing_more() -> None:
    folded = fold(chunks(1, "a", "b"))
    restarted = event(3, EventType.RESTARTED, {"attempt": 2, "keep": 1})

    added = [folded.add(Block.join([restarted, chunks(4, "c")])) for _ in range(2)]

    assert (added, folded.text, folded.seq) == ([False, False], "ab", 2)


def test_open_questions_are_in_the_snapshot_until_the_end() -> None:
    asked = event(1, EventType.QUESTION, {"id": "1", "prompt": "Continue?"})
    folded = fold(asked)

    before = folded.snapshot(record(), with_text=True)["questions"]
    folded.add(event(2, EventType.DONE, {}))
    after = folded.snapshot(record(), with_text=True)["questions"]

    assert (before, after) == ([{"id": "1", "prompt": "Continue?"}], [])


@pytest.mark.parametrize(
    ("kind", "data", "outcome"),
    [
        (EventType.DONE, {}, {"result": None, "error": None}),
        (EventType.DONE, {"result": 3}, {"result": 3, "error": None}),
        (EventType.ERROR, {"code": "X"}, {"result": None, "error": {"code": "X"}}),
        (EventType.CANCELLED, {"code": "C"}, {"result": None, "error": {"code": "C"}}),
    ],
)
def test_the_end_brings_result_or_error(kind: EventType, data: object, outcome: object) -> None:
    folded = fold(chunks(1, TEXT), event(2, kind, data))

    assert folded.outcome() == outcome
    assert folded.text == "a"


def test_a_run_that_continues_has_neither() -> None:
    assert fold(chunks(1, TEXT)).outcome() == {"result": None, "error": None}


@given(
    values=st.lists(st.text() | st.just(PROGRESS) | st.integers(), min_size=1),
    cut=st.integers(0, 20),
)
def test_grouping_changes_nothing(values: list[object], cut: int) -> None:
    cut = min(cut, len(values))
    parts = [(1, values[:cut]), (cut + 1, values[cut:])]

    whole = fold(chunks(1, *values))
    grouped = fold(*(chunks(first, *part) for first, part in parts if part))

    assert whole.snapshot(record(), with_text=True) == grouped.snapshot(record(), with_text=True)


def test_a_snapshot_tells_of_the_run() -> None:
    run = record(
        status=Status.COMPLETED,
        labels=("a",),
        attempt=2,
        seq=9,
        first_seq=4,
        created_at=1_750_000_000.0,
        started_at=1_750_000_001.25,
        ended_at=1_750_000_002.0,
        cancel_reason="requested",
        detached=True,
    )

    snapshot = fold().snapshot(run, with_text=False)

    assert snapshot == {
        "id": RUN,
        "action": "count",
        "parent": None,
        "status": "completed",
        "labels": ["a"],
        "attempt": 2,
        "seq": 9,
        "firstSeq": 4,
        "createdAt": "2025-06-15T15:06:40.000+00:00",
        "startedAt": "2025-06-15T15:06:41.250+00:00",
        "endedAt": "2025-06-15T15:06:42.000+00:00",
        "progress": None,
        "chunk": None,
        "result": None,
        "error": None,
        "questions": [],
        "cancelRequested": True,
        "detached": True,
    }


def test_times_that_have_not_come_are_null() -> None:
    told = summary(record(created_at=1.0))

    assert (told["startedAt"], told["endedAt"]) == (None, None)


def test_a_poll_begins_fast_and_slows_down_with_the_runs_age() -> None:
    run = record(status=Status.RUNNING, created_at=0.5, started_at=100.0)

    paces = [retry_after_ms(run, now) for now in (100.0, 104.0, 110.0, 130.0, 1_000_000.0)]

    assert paces == [FIRST_POLL_MS, FIRST_POLL_MS, 1_000, 3_000, SLOWEST_POLL_MS]


def test_a_pending_run_ages_from_its_creation() -> None:
    assert retry_after_ms(record(created_at=100.0), 120.0) == 2_000


def test_a_clock_that_jumped_back_polls_fast() -> None:
    assert retry_after_ms(record(created_at=100.0), 5.0) == FIRST_POLL_MS


@pytest.mark.parametrize("status", [status for status in Status if status.is_terminal])
def test_an_ended_run_is_not_polled_again(status: Status) -> None:
    assert retry_after_ms(record(status=status), 5.0) is None


# What snapshots take.


def test_a_block_that_was_taken_in_counts_nothing() -> None:
    folded = fold(chunks(1, "a", "b"))

    folded.add(chunks(1, "a", "b"))
    folded.add(chunks(2, "b", "c"))

    assert (folded.text, folded.seq) == ("abc", 3)


@pytest.mark.parametrize("text", ["a" * 60, "é" * 30])
def test_a_snapshot_has_no_text_above_the_limit(text: str) -> None:
    folded = Fold(text_bytes=100)
    folded.add(chunks(1, text))

    before = folded.text
    folded.add(chunks(2, text, "b"))
    after, size = folded.text, folded.size
    folded.add(event(4, EventType.RESTARTED, {"attempt": 2}))
    folded.add(chunks(5, text))

    assert (before, after, folded.text) == (text, None, text)
    assert size < 2_000


@pytest.mark.parametrize("count", [1, 100, 20_000])
@pytest.mark.parametrize("text", ["", "a", "😀" * 5])
def test_the_size_of_a_fold_is_about_what_it_takes(text: str, count: int) -> None:
    # Each text is one of its own, as it is where each comes in a block of its own.
    blocks = [chunks(seq, text) for seq in range(1, count + 1)]
    folded = Fold()

    tracemalloc.start()
    try:
        for block in blocks:
            folded.add(block)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert folded.size - 2_000 <= taken + 60 * 1024
    assert taken <= 2 * folded.size + 2_000


def test_folds_take_limited_memory_and_the_least_recently_used_goes_first() -> None:
    folds = Folds(100_000)
    for name in "abcd":
        folds.keep(name, fold(chunks(1, "x" * 15_000)))

    first, second = folds.get("a"), folds.get("b")
    folds.keep("b", folds.get("b") or Fold())
    folds.keep("e", fold(chunks(1, "x" * 15_000)))

    assert (first, second is not None) == (None, True)
    assert [name for name in "abcde" if folds.get(name) is not None] == ["b", "d", "e"]
    assert 90_000 < folds.size <= 100_000


def test_a_fold_that_grows_is_counted_as_it_is() -> None:
    folds, grown = Folds(100_000), Fold()
    folds.keep("grown", grown)
    folds.keep("other", fold(chunks(1, "x" * 30_000)))

    grown.add(chunks(1, "x" * 30_000))
    folds.keep("grown", grown)

    assert (len(folds), folds.get("grown")) == (1, grown)
    assert folds.size == grown.size


def test_a_fold_that_is_too_large_and_one_that_is_forgotten_take_nothing() -> None:
    folds = Folds(100_000)
    folds.keep("small", fold(chunks(1, "x")))

    folds.forget("small")
    folds.forget("unknown")
    folds.keep("large", fold(chunks(1, "x" * 200_000)))

    assert (len(folds), folds.size) == (0, 0)


def restarted(seq: int, keep: int) -> Block:
    return event(seq, EventType.RESTARTED, {"attempt": 2, "keep": keep})


def settled(*blocks: Block) -> Fold:
    """Feed a log, again from its start whenever that is asked for."""
    folded = Fold()
    while not all(map(folded.add, blocks)):
        folded = folded.rewound()
    return folded


def test_after_a_second_restart_the_first_one_still_holds() -> None:
    log = [
        *(chunks(1, "a", "b"), restarted(3, keep=1), chunks(4, "c", "d", "e")),
        *(restarted(7, keep=5), restarted(8, keep=5), chunks(9, "f")),
    ]

    assert settled(*log).text == "acdf"


@given(st.lists(st.tuples(CHUNKS, st.integers(0, 8)), min_size=1, max_size=4))
def test_it_is_what_the_chunks_that_count_add_up_to(attempts: list[tuple[list[Any], int]]) -> None:
    log, kept, seq, saved = list[Block](), list[tuple[int, Any]](), 0, 0
    for values, place in attempts:
        log.append(chunks(seq + 1, *values))
        kept += enumerate(values, seq + 1)
        saved = seq + place if place <= len(values) else saved
        seq += len(values) + 1
        log.append(restarted(seq, saved))
        kept = [(each, value) for each, value in kept if each <= saved]

    plain = fold(*(chunks(each, value) for each, value in enumerate((v for _, v in kept), 1)))
    expected = plain.snapshot(record(), with_text=True)
    assert settled(*log).snapshot(record(), with_text=True) == expected
