"""The protocol as curl prints it."""

import re
import subprocess
from pathlib import Path
from typing import IO, Literal

import pytest
from pydantic_core import from_json

from examples import demo, import_airports
from tests.conftest import Serve
from tests.support.server import ThreadServer
from tests.support.story import EVENTS, SECONDS, Story, events_in
from yieldwire import Actions

CSV = "icao,name,city,country,elevation,lat,lon\n" + "".join(
    f"X{n:03},Field {n},Nowhere,{'DE' if n % 5 else 'FR'},1,2,3\n" for n in range(250)
)


def curl(*arguments: str) -> str:
    answer = subprocess.run(
        ["/usr/bin/curl", "-sSN", "--max-time", str(SECONDS), *arguments],
        capture_output=True,
        check=True,
    )
    return answer.stdout.decode()


@pytest.fixture
def importing(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What curl is told, to import a file of 250 rows."""
    monkeypatch.setattr(import_airports, "DATABASE", tmp_path / "airports.db")
    actions = Actions()
    actions.include(demo.actions)
    server = serve(actions)
    file = tmp_path / "airports.csv"
    file.write_text(CSV, "utf-8")
    return [f"{server.url}/import_airports", "-F", f"file=@{file}", "-F", "pace=0.05"]


IMPORTED = """\
id: RUN.0
event: run
data: {"id":"RUN","status":"running"}

id: RUN.1
data: {"type":"progress","current":100,"total":250,"message":"100 of 250 airports","percent":40.0}

id: RUN.2
data: {"type":"progress","current":200,"total":250,"message":"200 of 250 airports","percent":80.0}

id: RUN.3
data: {"type":"progress","current":250,"total":250,"message":"250 of 250 airports","percent":100.0}

id: RUN.4
event: done
data: {"result":RESULT}

"""
RESULT = (
    '{"airports":250,"countries":2,'
    '"top":[{"country":"DE","airports":200},{"country":"FR","airports":50}]}'
)


def test_curl_prints_an_import_as_server_sent_events(importing: list[str]) -> None:
    printed = curl(*importing)

    run_id = printed[len("id: ") : printed.index(".")]
    assert printed == IMPORTED.replace("RUN", run_id).replace("RESULT", RESULT)


def test_curl_prints_an_import_as_lines_of_json(importing: list[str]) -> None:
    printed = curl(*importing, "-H", "Accept: application/x-ndjson")

    assert printed == (
        '{"seq":1,"type":"chunk","data":{"type":"progress","current":100,"total":250,'
        '"message":"100 of 250 airports","percent":40.0}}\n'
        '{"seq":2,"type":"chunk","data":{"type":"progress","current":200,"total":250,'
        '"message":"200 of 250 airports","percent":80.0}}\n'
        '{"seq":3,"type":"chunk","data":{"type":"progress","current":250,"total":250,'
        '"message":"250 of 250 airports","percent":100.0}}\n'
        f'{{"seq":4,"type":"done","data":{{"result":{RESULT}}}}}\n'
    )


def test_curl_gets_an_imports_result_as_one_answer(importing: list[str]) -> None:
    answer = from_json(curl(*importing, "-H", "Accept: application/json"))

    assert answer.pop("runId").startswith("r")
    assert answer == {"status": "completed", "result": from_json(RESULT), "error": None}


def test_curl_prints_the_head_that_proxies_and_browsers_need(importing: list[str]) -> None:
    head = curl(*importing, "-D", "-", "-o", "/dev/null").lower()

    assert head.startswith("http/1.1 200 ok\r\n")
    assert "\r\ncontent-type: text/event-stream; charset=utf-8\r\n" in head
    assert "\r\ncache-control: no-store, no-transform\r\n" in head
    assert "\r\nx-accel-buffering: no\r\n" in head
    run_id = re.search(r"\r\nrun-id: (\S+)\r\n", head)
    assert run_id is not None
    assert f"\r\nlocation: /runs/{run_id[1]}\r\n" in head


def read_frames(stream: IO[bytes], frames: int) -> str:
    """Read that many frames, and no byte more, as they are printed."""
    printed = b""
    while printed.count(b"\n\n") < frames:
        line = stream.readline()
        assert line, "the stream ended too early"
        printed += line
    return printed.decode()


@pytest.mark.parametrize("way", ["the post again", "the run's events"])
def test_curl_cut_in_the_middle_continues_from_its_cursor(
    server: ThreadServer, story: Story, way: Literal["the post again", "the run's events"]
) -> None:
    start = ["-X", "POST", f"{server.url}/tell"]
    with subprocess.Popen(["/usr/bin/curl", "-sN", *start], stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        before = read_frames(first.stdout, 3)
        first.kill()

    cursor = before.rsplit("id: ", 1)[1].partition("\n")[0]
    run_id, seq, *_ = cursor.split(".")
    again = start if way == "the post again" else [f"{server.url}/runs/{run_id}/events"]
    story.go_on()
    after = curl("-H", f"Last-Event-ID: {cursor}", *again)

    assert after.startswith(f"id: {cursor}\nevent: run\n")
    assert events_in(before) + events_in(after) == EVENTS
    assert seq == "2"
    assert story.started == 1


def test_a_cursor_behind_the_last_event_gets_an_empty_answer(
    server: ThreadServer, story: Story
) -> None:
    story.go_on()
    cursor = curl("-X", "POST", f"{server.url}/tell").rsplit("id: ", 1)[1].partition("\n")[0]

    answer = curl(
        *("-X", "POST", f"{server.url}/tell", "-H", f"Last-Event-ID: {cursor}"),
        *("-w", "%{http_code}"),
    )

    assert answer == "204"
    assert story.started == 1


def test_curl_follows_a_feed_that_every_reader_shares(importing: list[str]) -> None:
    url = importing[0].replace("import_airports", "clock")

    both = [curl(f"{url}?every=0.05&ticks=3") for _ in range(2)]

    assert [[event[1] for event in events_in(each)] for each in both] == [
        ["chunk", "chunk", "chunk", "done"]
    ] * 2
