import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pydantic_core import to_json

from tests.client.generate import CLIENT, FILES, written
from tests.client.script import OPENING, chunk, end
from yieldwire.client import Client, Patience
from yieldwire.errors import ActionError, Json, UsageError
from yieldwire.log.events import EventType

COUNT = OPENING + chunk(1, "a") + chunk(2, "b") + end(3, value={"result": 7})
SNAPSHOT: dict[str, Json] = {
    "id": "r1",
    "status": "running",
    "questions": [],
    "seq": 0,
    "events": [],
    "cursor": "r1.0",
    "runs": [],  # as in a list, for any other verb
}


@contextmanager
def serve(stream: str = COUNT, *, is_open: bool = False) -> Generator[str, None, None]:
    """Answer every POST of an action and every request for events with the same stream."""
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def do_GET(self) -> None:
            is_stream = self.path.endswith(("/count", "/events"))
            kind = "text/event-stream" if is_stream else "application/json"
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Run-Id", "r1")
            self.end_headers()
            self.wfile.write(stream.encode() if is_stream else to_json(SNAPSHOT))
            if is_open and is_stream:
                self.wfile.flush()
                over.wait()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/api"
        finally:
            over.set()
            server.shutdown()
            thread.join()


def test_a_script_reads_chunks_in_a_plain_loop() -> None:
    with serve() as url, Client(url) as client:
        assert list(client.stream("count")) == ["a", "b"]


def test_a_script_calls_for_a_result() -> None:
    with serve() as url, Client(url) as client:
        assert client.call("count", {"to": 2}) == 7


def test_a_started_run_has_events_a_result_and_a_cursor() -> None:
    with serve() as url, Client(url) as client:
        run = client.start("count", detached=False)
        events = [event.type for event in run.events()]

        assert events == [EventType.CHUNK, EventType.CHUNK, EventType.DONE]
        assert (run.result(), run.id, run.cursor) == (7, "r1", "r1.3")


def test_a_run_is_attached_to_and_read() -> None:
    with serve() as url, Client(url) as client:
        assert list(client.attach("r1")) == ["a", "b"]


def test_an_error_of_the_run_is_raised_in_the_script() -> None:
    failed = OPENING + end(1, "error", {"code": "NO_STOCK", "message": "Sold out."})
    with serve(failed) as url, Client(url) as client, pytest.raises(ActionError, match="Sold out"):
        client.call("count")


def test_leaving_a_loop_early_lets_the_connection_go() -> None:
    with serve(OPENING + chunk(1, "a"), is_open=True) as url, Client(url) as client:
        run = client.start("count", detached=False)
        for value in run:
            assert value == "a"
            break
        run.close()

        assert run.cursor == "r1.1"


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.snapshot("r1"),
        lambda client: client.cancel("r1"),
        lambda client: client.attach("r1").snapshot(with_input=True),
        lambda client: client.attach("r1").cancel(),
        lambda client: client.answer("r1", "1", True),
        lambda client: client.send("r1", "left"),
        lambda client: client.attach("r1").answer("1", True),
        lambda client: client.attach("r1").send("left"),
        lambda client: client.list(limit=1),
        lambda client: client.manifest(),
    ],
)
def test_every_other_verb_is_there_too(ask: Callable[[Client], object]) -> None:
    with serve() as url, Client(url) as client:
        assert ask(client) == SNAPSHOT


def test_a_script_asks_for_the_open_questions() -> None:
    with serve() as url, Client(url) as client:
        assert client.attach("r1").questions() == []


def test_a_script_reads_the_log_as_it_is() -> None:
    with serve() as url, Client(url) as client:
        assert list(client.attach("r1").log()) == []


def test_a_closed_client_says_so_and_closing_twice_is_closing_once() -> None:
    client = Client("http://127.0.0.1:9/api", patience=Patience(tries=1))
    client.close()
    client.close()

    with pytest.raises(UsageError, match="The client is closed"):
        client.manifest()


def test_a_loop_that_outlives_its_client_ends_quietly() -> None:
    with serve(OPENING + chunk(1, "a"), is_open=True) as url:
        with Client(url) as client:
            chunks = client.stream("count")
            next(chunks)

        with pytest.raises(UsageError, match="The client is closed"):
            next(chunks)


@pytest.mark.parametrize("name", FILES)
def test_the_blocking_client_is_the_one_that_is_made_of_the_asynchronous_one(name: str) -> None:
    text = (CLIENT / name).read_text("utf-8")

    assert text == written(name), "Run `make generate`, or `python -m tests.client.generate`."


def test_a_start_that_is_interrupted_is_cancelled_on_the_server() -> None:
    keys: dict[str, str] = {}
    main = threading.get_ident()
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            keys[self.path] = self.headers["Idempotency-Key"]
            if self.path == "/api/count":
                signal.pthread_kill(main, signal.SIGINT)  # as Ctrl-C does
                over.wait()
                return
            answer = b'{"runId":null,"status":"cancelled"}'
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        with (
            pytest.raises(KeyboardInterrupt),
            Client(f"http://127.0.0.1:{server.server_port}/api") as client,
        ):
            client.call("count")
        over.set()
        server.shutdown()
        thread.join()

    assert keys["/api/count/cancel"] == keys["/api/count"]


def test_a_start_is_cancelled_by_its_key() -> None:
    with serve() as url, Client(url) as client:
        assert client.cancel_start("count", "mine") == SNAPSHOT
