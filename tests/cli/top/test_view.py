import re

import pytest
from rich.text import Text

from tests.cli.top.entries import entry, progress
from yieldwire.cli.top.board import Board
from yieldwire.cli.top.lines import LogLines
from yieldwire.cli.top.view import View, bar
from yieldwire.errors import Json
from yieldwire.log.events import Event, EventType

SIZES = [(40, 8), (45, 24), (60, 24), (80, 24), (110, 30), (200, 50)]
URL = "http://127.0.0.1:8000/api/_actions"


def board(*entries: dict[str, Json]) -> Board:
    made = Board()
    for each in entries:
        made.take({**each, "seq": 0}, 0.0)
        made.take({**each, "seq": 25}, 2.0)
    return made


def drawn(
    view: View, made: Board, size: tuple[int, int] = (80, 24), lines: LogLines | None = None
) -> list[str]:
    texts = view.draw(made, lines or LogLines(), (2.0, 75.0), size)
    assert (len(texts), {text.cell_len <= size[0] for text in texts}) == (size[1], {True})
    return [text.plain.rstrip() for text in texts]


def many(count: int) -> Board:
    return board(*(entry(f"r{n:020}", created=n, action="import_contacts") for n in range(count)))


def test_a_screen_of_80_columns_has_everything() -> None:
    made = board(
        entry("r" * 21, action="import_contacts", progress=progress(1, 4, "row 1"), labels=["eu"]),
        entry("s" * 21, status="failed", created=10, action="fail"),
    )

    lines = drawn(View(URL), made)

    assert lines[:4] == [
        f"1 active of 2 runs, 12.5 events/s             {URL}",
        "  status    action           progress          ev/s    age run          1-2 of 2",
        f"▶ running   import_contacts  ━━········  25%   12.5  1m15s {'r' * 21}",
        f"  failed    fail                                     1m05s {'s' * 21}",
    ]
    assert lines[16].startswith(f"── {'r' * 21}  import_contacts  25 events  labels eu ──")
    assert lines[17] == "25 %, 1 of 4, row 1"
    assert lines[-1] == (
        "↑↓ select  enter log  a answer  c cancel  s status  / find  ? help  q quit"
    )


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("is_ascii", [False, True])
def test_no_line_is_too_long_and_the_last_one_says_how_to_leave(
    size: tuple[int, int], *, is_ascii: bool
) -> None:
    wide = entry(
        "r1", action="한국어" * 30, labels=["👩‍👩‍👧‍👦" * 9], progress=progress(1, 2, "x" * 500)
    )
    lines = LogLines()
    lines.take(Event(1, EventType.CHUNK, ('"' + "words " * 500 + '"').encode()))

    shown = drawn(View(URL, is_ascii=is_ascii), board(wide), size, lines)

    assert shown[-1].endswith("? help  q quit")
    assert "running" in shown[2]


def test_the_screen_follows_the_selection_and_says_where_it_is() -> None:
    view, made = View(URL), many(200)
    assert "1-14 of 200" in drawn(view, made)[1]

    made.move(14)
    lines = drawn(view, made)
    assert ("2-15 of 200" in lines[1], lines[15][0]) == (True, "▶")

    made.move(999)
    assert "187-200 of 200" in drawn(view, made)[1]

    made.move(-13)
    lines = drawn(view, made)
    assert ("187-200 of 200" in lines[1], lines[2][0]) == (True, "▶")


def test_the_log_can_have_most_of_the_room() -> None:
    lines = LogLines()
    for n in range(1, 41):
        lines.take(Event(n, EventType.CHUNK, b'"line %d\\n"' % n))
    view = View(URL, is_wide_log=True)

    shown = drawn(view, many(200), lines=lines)

    assert "1-4 of 200" in shown[1]
    assert shown[7:23] == [f"line {n}" for n in range(25, 41)]


def test_long_lines_are_wrapped_between_words() -> None:
    lines = LogLines()
    lines.take(Event(1, EventType.CHUNK, b'"%b"' % (b"word " * 20 + b"x" * 100)))

    shown = drawn(View(URL), many(1), lines=lines)

    assert shown[17:20] == ["word " * 15 + "word", "word " * 4 + "x" * 60, "x" * 40]


def test_what_a_run_says_cannot_control_the_terminal() -> None:
    lines = LogLines()
    lines.take(Event(1, EventType.CHUNK, rb'"a\u001b[2Jb\tc"'))
    made = board(entry("r1", progress=progress(1, 2, "\x1b]0;owned\x07"), labels=["a"]))

    shown = "\n".join(drawn(View(URL), made, lines=lines))

    assert "\x1b" not in shown
    assert "a\N{REPLACEMENT CHARACTER}[2Jb c" in shown


def test_the_state_of_the_selected_run_is_above_its_log() -> None:
    question = {"id": "1", "prompt": "Publish\nthis?"}
    waiting = {"before": 0, "expectedMs": None, "notBefore": None}
    made = board(
        entry("r1", attempt=2, parent="r0", progress=progress(3), questions=[question]),
        entry("r2", status="pending", waiting=waiting, created=-1),
    )
    view = View(URL)

    first = drawn(view, made)
    made.move(1)
    second = drawn(view, made)

    assert first[16].startswith("── r1  count  25 events  attempt 2  of r0 ──")
    assert first[17:19] == ["3", "Question 1: Publish this? (a: answer)"]
    assert second[17] == "Next in line"
    assert "Next in line" in second[3]


def test_a_pace_of_thousands_is_told_in_thousands() -> None:
    made = Board()
    for second in range(3):
        made.take(entry("r1", seq=2500 * second), float(second))

    assert re.search(r" 2\.5k ", drawn(View(URL), made)[2])


def test_without_runs_the_screen_says_so() -> None:
    lines = drawn(View(URL), Board())

    assert lines[0].startswith("0 active of 0 runs, 0.0 events/s")
    assert lines[1].endswith("no runs")


def test_what_is_filtered_and_what_is_wrong_is_the_first_line() -> None:
    made = many(1)
    made.words = "imp"
    made.next_filter()
    view = View(URL)
    assert ", only active, with 'imp'  http" in drawn(view, made)[0]

    view.trouble, view.footer = "Reconnecting in 1.0 s: " + "x" * 99, "Cancel?"
    lines = drawn(view, made)
    assert lines[0] == "Reconnecting in 1.0 s: " + "x" * 56 + "…"
    assert lines[-1] == "Cancel?"


def test_help_explains_every_key() -> None:
    lines = drawn(View(URL, is_help=True), many(1))

    assert lines[0].startswith("up, down, j, k")
    assert "Press any key to return." in lines


@pytest.mark.parametrize(
    ("percent", "ascii_only", "text"),
    [(0, False, "····"), (99, False, "━━━·"), (100, False, "━━━━"), (50, True, "##..")],
)
def test_a_bar_is_full_only_at_the_end(percent: float, text: str, *, ascii_only: bool) -> None:
    assert bar(percent, 4, is_ascii=ascii_only) == text


def test_labels_are_a_column_where_there_is_room() -> None:
    lines = drawn(View(URL), board(entry("r1", labels=["nightly", "eu"])), (130, 24))

    assert "nightly, eu" in lines[2]
    assert Text(lines[2]).cell_len <= 130
