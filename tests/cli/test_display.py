import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic_core import from_json, to_json

from tests.cli.terminal import run, running
from yieldwire.cli.display import JsonLines, Terminal, show_table
from yieldwire.cli.output import show_json
from yieldwire.log.chunks import Progress
from yieldwire.log.events import Event, EventType

ESCAPE = "\x1b]0;owned\x07"


def chunk(value: object) -> Event:
    return Event(1, EventType.CHUNK, to_json(value))


def show(*events: Event) -> None:
    terminal = Terminal()
    for event in events:
        terminal.show(event)
    terminal.close()


def on_a_terminal(*arguments: str, cwd: Path) -> str:
    """Run a command with its output on a terminal, and return what that was sent."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "yieldwire.cli", *arguments]
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(command, cwd=cwd, stdout=theirs, stderr=theirs, env=env):
        os.close(theirs)
        sent = b""
        while piece := _read(ours):
            sent += piece
    os.close(ours)
    return sent.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so when the other side has gone
        return b""


def test_a_terminal_shows_a_bar_and_gets_its_cursor_back(folder: Path) -> None:
    sent = on_a_terminal("call", "app.py", "count", "to=3", "message=[red]", cwd=folder)

    assert "100%" in sent
    assert "[red] 3" in sent  # a message is not markup
    assert sent.rindex("\x1b[?25h") > sent.rindex("\x1b[?25l")
    assert '"counted": 3' in sent


MEASURE = """
from yieldwire import Actions, Upload

actions = Actions()


@actions.action
async def measure(file: Upload) -> int:
    return file.size
"""


def test_what_is_sent_of_a_large_file_is_a_bar_that_is_gone_when_it_is_sent(folder: Path) -> None:
    folder.joinpath("measure.py").write_text(MEASURE)
    folder.joinpath("large.bin").write_bytes(b"x" * 3_000_000)
    with running("serve", "measure.py", "--port", "0", cwd=folder) as server:
        url = server.wait_for_note("serves").rpartition(" ")[2]

        sent = on_a_terminal("call", url, "measure", "file=@large.bin", cwd=folder)
        lines = run("call", url, "measure", "file=@large.bin", cwd=folder)
        as_json = run("call", url, "measure", "file=@large.bin", "--json", cwd=folder)

    assert "Sending 3.0 MB of 3.0 MB" in sent
    assert sent.rindex("\x1b[?25h") > sent.rindex("Sending")
    assert sent.rstrip().endswith("3000000")
    assert lines.err.splitlines()[-1] == "100.0 % Sending 3.0 MB of 3.0 MB"
    assert lines.out == "3000000\n"
    assert as_json.err == ""


def test_what_is_sent_of_a_small_file_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()
    terminal.upload(Progress(0, total=1000))
    terminal.upload(Progress(1000, total=1000))
    terminal.close()

    assert capsys.readouterr().err == ""


def test_each_change_of_where_a_run_waits_is_a_line_without_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    terminal = Terminal()
    for text in ("2 runs are before it", "2 runs are before it", "Next in line", ""):
        terminal.wait(text)
    terminal.show(chunk({"n": 1}))
    terminal.close()

    told = capsys.readouterr()
    assert (told.out, told.err) == ('{"n":1}\n', "2 runs are before it\nNext in line\n")


def test_where_a_run_waits_is_no_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    JsonLines().wait("2 runs are before it")

    assert capsys.readouterr() == ("", "")


def test_a_text_cannot_take_over_a_terminal(folder: Path) -> None:
    sent = on_a_terminal("call", "app.py", "tell", f"words={ESCAPE}", cwd=folder)

    assert "\x1b]0;" not in sent


def test_a_terminal_shows_tables_with_heads(folder: Path) -> None:
    sent = on_a_terminal("actions", "app.py", cwd=folder)

    assert "parameters" in sent


def test_without_a_terminal_a_whole_percent_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    show(*(chunk(Progress(n, total=1000)) for n in range(1001)))

    lines = capsys.readouterr().err.splitlines()
    assert (len(lines), lines[0], lines[-1]) == (101, "  0.0 %", "100.0 %")


def test_without_a_total_a_message_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    show(*(chunk(Progress(n, message=f"{n // 2} read")) for n in range(4)))

    assert capsys.readouterr().err.splitlines() == ["0 0 read", "2 1 read"]


@pytest.mark.parametrize(
    "value",
    [
        {"type": "progress"},
        {"type": "progress", "current": "half", "percent": 50},
        {"type": "progress", "current": None},
        {"type": ["progress"], "current": 1},
    ],
)
def test_a_chunk_that_is_not_the_frameworks_progress_is_shown_as_any_other(
    value: object, capsys: pytest.CaptureFixture[str]
) -> None:
    show(chunk(value))

    shown = capsys.readouterr()
    assert (from_json(shown.out), shown.err) == (value, "")


def test_of_a_progress_is_shown_what_can_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    odd = {"total": "all", "percent": "most", "message": {"en": "m"}, "unit": "rows"}
    show(chunk({"type": "progress", "current": 3, **odd}))

    assert capsys.readouterr().err == "3\n"


def test_what_a_model_does_besides_its_text_is_noted(capsys: pytest.CaptureFixture[str]) -> None:
    call = {"type": "tool-call", "id": "c", "name": "weather", "input": {"city": "Ely"}}

    show(chunk({"type": "step-start"}), chunk(call), chunk({"type": "text", "text": "Rain."}))

    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("Rain.\n", 'Calls weather {"city":"Ely"}\n')


def test_an_end_of_another_version_is_shown_as_far_as_it_can_be_read(
    capsys: pytest.CaptureFixture[str],
) -> None:
    odd = {"code": "NEW", "statusCode": "teapot", "fieldErrors": [{"path": "a"}], "hint": "h"}
    show(Event(1, EventType.RESTARTED, b'"again"'), Event(2, EventType.ERROR, to_json(odd)))

    assert [line.rstrip() for line in capsys.readouterr().err.splitlines()] == [
        "Attempt  starts; earlier output no longer counts.",
        "NEW:",
    ]


def test_a_new_attempt_is_noted(capsys: pytest.CaptureFixture[str]) -> None:
    show(chunk("half"), Event(2, EventType.RESTARTED, b'{"attempt":2}'))

    shown = capsys.readouterr()
    assert shown.out == "half\n"
    assert shown.err == "Attempt 2 starts; earlier output no longer counts.\n"


def test_an_attempt_that_continues_from_a_saved_place_is_noted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show(Event(2, EventType.RESTARTED, b'{"attempt":2,"keep":1}'))

    told = "Attempt 2 starts; output after its saved place no longer counts.\n"
    assert capsys.readouterr().err == told


def test_a_question_and_its_answer_are_notes(capsys: pytest.CaptureFixture[str]) -> None:
    show(
        chunk("half"),
        Event(2, EventType.QUESTION, b'{"id":"1","prompt":"Sure?","name":"bool","schema":{}}'),
        Event(3, EventType.ANSWER, b'{"id":"1","value":true,"by":"ada"}'),
    )

    shown = capsys.readouterr()
    assert shown.out == "half\n"
    assert shown.err == "Question 1: Sure?\nQuestion 1 was answered by ada: true\n"


def test_a_result_that_is_text_is_written_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    show(chunk("a"), Event(2, EventType.DONE, b'{"result":"b"}'))

    assert capsys.readouterr().out == "a\nb\n"


def test_json_keeps_every_event_on_its_line() -> None:
    out = io.StringIO()

    display = JsonLines(out)
    display.show(chunk("a\nb"))
    display.close()

    assert out.getvalue() == '{"seq":1,"type":"chunk","data":"a\\nb"}\n'


def test_without_a_terminal_a_table_is_lines_of_fields(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(["a", "b"], [["1", "x\ny"], ["2", ""]])

    assert capsys.readouterr().out == "1\tx y\n2\n"


def test_what_is_a_line_of_json_is_one_for_every_reader_of_lines(
    capsys: pytest.CaptureFixture[str],
) -> None:
    value = {"a\u2028b": "\u0085\u2029\r\n\f\x1c"}

    show(chunk(value))
    show_json(value)

    first, second = capsys.readouterr().out.splitlines()
    assert from_json(first) == from_json(second) == value
