"""What the check of the measured servers finds, with servers that do less than they should."""

import sys
from pathlib import Path

import pytest

from benchmarks.check import events_in, failures
from benchmarks.environment import Environment
from benchmarks.peer import Peer

SERVER = """
import json, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

change = sys.argv[2]

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def do_POST(self):
        count = json.loads(self.rfile.read(int(self.headers["content-length"])))["count"]
        tokens = [{"text": f"token {i} "} for i in range(count)]
        scope = {"self": self, "count": count, "tokens": tokens}
        exec(change, scope)
        tokens = scope["tokens"]
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        for token in tokens:
            self.wfile.write(f"data: {json.dumps(token)}\\n\\n".encode())

ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def checked(directory: Path, change: str) -> list[str]:
    program = directory / "server.py"
    program.write_text(SERVER, "utf-8")
    peer = Peer(name="a-test", title="", role="peer", kind="python", scenes="A", command=())
    command = (sys.executable, str(program), "{port}", change)
    return list(failures(peer, Environment(command=command, directory=directory, versions=())))


def test_a_server_that_sends_every_event_passes(tmp_path: Path) -> None:
    assert checked(tmp_path, "") == []


def test_an_envelope_of_the_frameworks_own_passes(tmp_path: Path) -> None:
    change = "tokens = [{'type': 'delta', 'part': [token]} for token in tokens]"

    assert checked(tmp_path, change) == []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("tokens.pop()", "999 events instead of 1000"),
        ("tokens.append(tokens[0])", "more than 1000 events"),
        ("tokens[7] = tokens[6]", "Event 7 is"),
        ("tokens = [tokens]", "Event 0 is"),
        ("tokens = [{'text': 'token'}] * count", "0 events instead of 1000"),
        ("self.send_error(500)", "It answered 500 text/html"),
        ("raise SystemExit", "closed connection"),
    ],
)
def test_a_server_that_sends_something_else_is_found(
    tmp_path: Path, change: str, found: str
) -> None:
    (line,) = checked(tmp_path, change)

    assert line.startswith("scene A:")
    assert found in line


def test_a_server_that_does_not_start_is_found(tmp_path: Path) -> None:
    peer = Peer(name="a-test", title="", role="peer", kind="python", scenes="A", command=())
    command = (sys.executable, "-c", "raise SystemExit('no such module')")
    environment = Environment(command=command, directory=tmp_path, versions=())

    assert list(failures(peer, environment)) == ["scene A: It did not start: no such module"]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_events_are_told_apart_however_their_bytes_are_cut(end: bytes) -> None:
    frames = [[b": joined"], [b"data: token 0"], [b"id: 1", b"data: token 1"], [b"data: [DONE]"]]
    wire = b"".join(end.join([*frame, b"", b""]) for frame in frames)

    for cut in range(len(wire)):
        assert list(events_in([wire[:cut], wire[cut:]])) == [" token 0", " token 1"]
