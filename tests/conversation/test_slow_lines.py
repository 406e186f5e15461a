"""Uploads over lines that are slow, and over lines that only pretend to be."""

import socket
import time

from tests.conftest import Serve
from tests.support.world import world
from yieldwire import Timing

IDLE = 1.5
HEAD = (
    "POST /take HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n"
    "Content-Type: multipart/form-data; boundary=B\r\nContent-Length: {length}\r\n\r\n"
)
FILE = b'--B\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n'
END = b"\r\n--B--\r\n"


def upload(port: int, piece: bytes, every: float, count: int) -> tuple[bytes, float, float]:
    """Upload ``count`` pieces, or fewer where the server answers before.

    Return the answer, the seconds until it came, and the longest that this side paused.
    """
    length = len(FILE) + len(piece) * count + len(END)
    with socket.create_connection(("127.0.0.1", port)) as line:
        began = last = time.monotonic()
        longest = 0.0
        line.sendall(HEAD.format(length=length).encode() + FILE)
        line.settimeout(every)
        for _ in range(count):
            try:
                return line.recv(65536), time.monotonic() - began, longest
            except TimeoutError:
                line.sendall(piece)
            longest = max(longest, time.monotonic() - last)
            last = time.monotonic()
        line.settimeout(None)
        line.sendall(END)
        return line.recv(65536), time.monotonic() - began, longest


def test_an_upload_on_a_slow_line_is_taken_although_it_lasts_longer_than_the_limit(
    serve: Serve,
) -> None:
    server = serve(world(timing=Timing(body=IDLE, grace=0)))

    answer, seconds, longest = upload(server.port, b"x" * 4000, every=0.1, count=30)
    while longest >= IDLE / 2:  # again where the machine itself paused
        answer, seconds, longest = upload(server.port, b"x" * 4000, every=0.1, count=30)

    assert seconds > IDLE
    assert answer.startswith(b"HTTP/1.1 200 ")


def test_a_sender_that_only_keeps_its_connection_busy_is_refused(serve: Serve) -> None:
    server = serve(world(timing=Timing(body=IDLE, grace=0)))

    answer, _, _ = upload(server.port, b"x", every=0.05, count=100_000)

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"less than 240 bytes per second" in answer or b"No part of the body" in answer
