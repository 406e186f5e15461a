"""``dev`` and ``serve`` as processes."""

import signal
import socket
from collections.abc import Generator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPResponse, IncompleteRead
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.cli.terminal import Command, Ended, run, running

PROMPT = 5.0
"""Seconds. It takes less than one; without a farewell to readers it would take forever."""


@contextmanager
def serving(*arguments: str, cwd: Path) -> Generator[tuple[Command, str], None, None]:
    """Serve, and give the command with the address."""
    with running(*arguments, "--port", "0", cwd=cwd) as command:
        yield command, address_of(command, arguments[0])


def address_of(command: Command, name: str) -> str:
    if name == "dev":
        return command.wait_for("serves").rpartition(" ")[2]
    return command.wait_for_note("serves").rpartition(" ")[2]


@contextmanager
def request(method: str, url: str, *, accept: str = "*/*") -> Generator[HTTPResponse, None, None]:
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=20)
    body = "{}" if method == "POST" else None
    headers = {"Accept": accept, "Content-Type": "application/json"}
    connection.request(method, parts.path, body, headers)
    with closing(connection), connection.getresponse() as response:
        yield response


def stopped(command: Command) -> Ended:
    command.interrupt()
    return command.finish(PROMPT)


def test_dev_serves_the_page_and_says_where(folder: Path) -> None:
    with serving("dev", "app.py", "--no-reload", cwd=folder) as (command, url):
        with request("GET", url) as page:
            content = page.read().decode()
        parts = urlsplit(url)
        with request("GET", f"http://{parts.netloc}/") as root:
            location = root.headers["location"]
        ended = stopped(command)

    assert (page.status, "<!doctype html>" in content.lower()) == (200, True)
    assert (root.status, location) == (307, "/api/_actions/")
    assert "  count      Count to a number.\n" in ended.out
    logged = [line.partition(" ")[2].partition(" (")[0] for line in ended.err.splitlines()]
    assert (ended.code, logged) == (0, ["GET /api/_actions/: 200", "GET /: 307"])


HOST = """
from fastapi import FastAPI

import app

main = FastAPI()
main.mount("/one", app.actions)
main.mount("/two", app.Actions())


@main.get("/")
def root() -> str:
    return "mine"
"""
CLEANUP = """
    try:
        yield 'waiting\\n'
        await asyncio.Event().wait()
    finally:
        print('cleaned up', flush=True)
"""


def test_dev_serves_an_application_that_contains_actions_with_the_page_at_each(
    folder: Path,
) -> None:
    (folder / "main.py").write_text(HOST)

    with serving("dev", "main.py", "--no-reload", cwd=folder) as (command, url):
        shown = [command.wait_for("Actions, with their page").rpartition(" ")[2] for _ in range(2)]
        contents = list[str]()
        for each in (url, *shown):
            with request("GET", each) as answer:
                contents.append(answer.read().decode().lower())
        ended = stopped(command)

    assert shown == [f"{url}one/", f"{url}two/"]
    assert contents[0] == '"mine"'
    assert all("<!doctype html>" in page for page in contents[1:])
    assert "  count      Count to a number.\n" in ended.out
    assert f"Yieldwire serves main.py (FastAPI) at {url}" in ended.out
    assert ended.code == 0


def test_an_application_that_contains_actions_ends_promptly_and_closes_them(folder: Path) -> None:
    (folder / "main.py").write_text(HOST)
    before, _, _ = (folder / "app.py").read_text().partition("async def wait()")
    (folder / "app.py").write_text(f"{before}async def wait() -> AsyncIterator[str]:{CLEANUP}")

    with (
        serving("dev", "main.py", "--no-reload", cwd=folder) as (command, url),
        request("POST", f"{url}one/wait", accept="text/event-stream") as stream,
    ):
        while b"waiting" not in stream.readline():
            pass
        ended = stopped(command)

    assert (ended.code, "cleaned up" in ended.out) == (0, True)


@pytest.mark.parametrize("option", [["--base", "/x"], ["--static", "."]])
def test_an_application_that_contains_actions_has_its_own_paths(
    folder: Path, option: list[str]
) -> None:
    (folder / "main.py").write_text(HOST)

    ended = run("dev", "main.py", "--no-reload", *option, cwd=folder)

    assert (ended.code, ended.err.startswith("main.py has its own paths")) == (2, True)


def test_dev_serves_the_files_of_a_folder_next_to_the_actions(folder: Path) -> None:
    (folder / "index.html").write_text("<h1>Hello</h1>")

    with serving("dev", "app.py", "--static", ".", cwd=folder) as (command, url):
        root = command.wait_for("and the files in . at").rpartition(" ")[2]
        with request("GET", root) as page:
            content = page.read()
        with request("GET", f"{url}manifest.json") as manifest:
            manifest.read()
        stopped(command)

    assert (content, manifest.status) == (b"<h1>Hello</h1>", 200)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--static", "none"), "--static: there is no folder none."),
        (("--static", ".", "--base", "/"), "--static needs a --base"),
    ],
)
def test_files_that_cannot_be_served_are_said(
    folder: Path, arguments: tuple[str, ...], told: str
) -> None:
    ended = run("dev", "app.py", "--port", "0", *arguments, cwd=folder)

    assert (ended.code, told in ended.err) == (2, True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("reload", ["--reload", "--no-reload"])
def test_dev_ends_promptly_although_a_stream_is_open(
    folder: Path, reload: str, number: signal.Signals
) -> None:
    with (
        serving("dev", "app.py", reload, cwd=folder) as (command, url),
        request("POST", f"{url}wait", accept="text/event-stream") as stream,
    ):
        while b"waiting" not in stream.readline():
            pass
        command.send(number)
        ended = command.finish(PROMPT)
        rest = stream.read()

    assert ended.code == 0
    assert b"retry: " in rest  # asked to come back, at a frame's end


def test_dev_restarts_when_a_file_changes(folder: Path) -> None:
    with serving("dev", "app.py", cwd=folder) as (command, url):
        source = (folder / "app.py").read_text()
        (folder / "app.py").write_text(source.replace("def add(", "def subtract("))
        again = address_of(command, "dev")
        with request("GET", f"{again}manifest.json") as manifest:
            content = manifest.read()
        ended = stopped(command)

    assert again == url
    assert b'"subtract"' in content
    assert ended.code == 0


def test_dev_waits_for_a_file_that_fails_to_be_mended(folder: Path) -> None:
    source = (folder / "app.py").read_text()
    (folder / "app.py").write_text("1 / 0\n")

    with running("dev", "app.py", "--port", "0", cwd=folder) as command:
        told = command.wait_for_note("line 1")
        command.wait_for_note("Waiting for a change")
        (folder / "app.py").write_text(source)
        command.wait_for("serves app.py")
        ended = stopped(command)

    assert "app.py" in told
    assert ended.code == 0


def test_dev_of_a_file_that_fails_ends_where_nothing_is_watched(folder: Path) -> None:
    (folder / "app.py").write_text("1 / 0\n")

    ended = run("dev", "app.py", "--port", "0", "--no-reload", cwd=folder)

    assert (ended.code, "ZeroDivisionError" in ended.err) == (2, True)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "There is no file"),
        ("from yieldwire.app import App\napp = App()\n", "needs `actions = Actions()`"),
    ],
)
def test_what_cannot_be_served_is_said(tmp_path: Path, content: str | None, told: str) -> None:
    if content is not None:
        (tmp_path / "app.py").write_text(content)

    ended = run("dev", "app.py", "--port", "0", "--no-reload", cwd=tmp_path)

    assert (ended.code, told in ended.err) == (2, True)


@pytest.mark.parametrize(
    "arguments",
    [("serve", "app.py"), ("serve", "app.py", "--workers", "2"), ("dev", "app.py", "--no-reload")],
    ids=" ".join,
)
def test_a_store_that_cannot_be_used_is_said_in_one_line(
    folder: Path, arguments: tuple[str, ...]
) -> None:
    source = (folder / "app.py").read_text()
    (folder / "app.py").write_text(
        source.replace("Actions(", 'Actions(store="sqlite:///no/a.db"', 1)
    )

    ended = run(*arguments, "--port", "0", cwd=folder)

    (line,) = ended.err.strip().splitlines()
    assert ended.code == 1
    assert line.endswith("Runs cannot be kept in no/a.db: the folder no does not exist. Create it.")


def test_dev_waits_for_a_store_that_fails_to_be_mended(folder: Path) -> None:
    source = (folder / "app.py").read_text()
    (folder / "app.py").write_text(
        source.replace("Actions(", 'Actions(store="sqlite:///no/a.db"', 1)
    )

    with running("dev", "app.py", "--port", "0", cwd=folder) as command:
        command.wait_for_note("the folder no does not exist. Create it. Waiting for a change.")
        (folder / "app.py").write_text(source)
        command.wait_for("serves app.py")
        ended = stopped(command)

    assert ended.code == 0


def test_a_port_that_is_taken_is_said_to_be(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = run("dev", "app.py", "--port", str(taken.getsockname()[1]), cwd=folder)

    assert (ended.code, "Cannot listen on" in ended.err) == (2, True)


def test_serve_has_no_page(folder: Path) -> None:
    with serving("serve", "app.py", cwd=folder) as (command, url):
        with request("GET", url) as page:
            page.read()
        with request("GET", f"{url}manifest.json") as manifest:
            manifest.read()
        ended = stopped(command)

    assert (page.status, manifest.status, ended.code) == (404, 200, 0)


def test_serve_ends_promptly_although_a_stream_is_open(folder: Path) -> None:
    source = (folder / "app.py").read_text()
    hasty = "from yieldwire import Timing\nactions = Actions(timing=Timing(grace=0))"
    (folder / "app.py").write_text(source.replace("actions = Actions()", hasty))

    with (
        serving("serve", "app.py", cwd=folder) as (command, url),
        request("POST", f"{url}wait", accept="text/event-stream") as stream,
    ):
        while b"waiting" not in stream.readline():
            pass
        ended = stopped(command)

    assert ended.code == 0


def test_a_text_stream_that_is_aborted_is_one_line_in_the_log(folder: Path) -> None:
    with serving("serve", "app.py", cwd=folder) as (command, url):
        with (
            request("POST", f"{url}fail_late", accept="text/plain") as stream,
            pytest.raises(IncompleteRead, match="5 bytes read"),
        ):
            stream.read()
        ended = stopped(command)

    assert "A response was aborted, as its run did not complete." in ended.err
    assert "Traceback" not in ended.err


def test_the_garbage_collector_looks_only_at_what_came_after_the_start(folder: Path) -> None:
    (folder / "counting.py").write_text(
        "import gc\n"
        "from yieldwire import Actions\n"
        "actions = Actions()\n"
        "@actions.action\n"
        "async def left() -> bool:\n"
        "    return len(gc.get_objects()) < gc.get_freeze_count()\n"
    )

    with serving("serve", "counting.py", cwd=folder) as (command, url):
        with request("POST", f"{url}left") as answer:
            said = answer.read()
        stopped(command)

    assert b'"result":true' in said


def test_serve_logs_as_the_application_configures_it(folder: Path) -> None:
    source = (folder / "app.py").read_text()
    configured = "import logging\nlogging.basicConfig(level='INFO', format='mine: %(message)s')\n"
    (folder / "app.py").write_text(configured + source)

    with serving("serve", "app.py", cwd=folder) as (command, url):
        with request("POST", f"{url}fail") as answer:
            answer.read()
        ended = stopped(command)

    assert "mine: run starts: fail" in ended.err
    assert "mine: Application startup complete." in ended.err
    assert "INFO:" not in ended.err


def test_serve_refuses_workers_that_cannot_share_a_store(folder: Path) -> None:
    ended = run("serve", "app.py", "--workers", "2", "--port", "0", cwd=folder)

    assert (ended.code, "it lives in one process" in ended.err) == (2, True)


def test_workers_that_share_a_store_serve_on_one_socket(folder: Path) -> None:
    source = (folder / "app.py").read_text()
    shared = f"actions = Actions(store='sqlite:///{folder}/runs.db')"
    (folder / "app.py").write_text(source.replace("actions = Actions()", shared))

    with running("serve", "app.py", "--workers", "2", "--port", "0", cwd=folder) as command:
        url = command.wait_for_note("2 workers serve").rpartition(" ")[2]
        for _ in range(2):
            command.wait_for_note("Yieldwire serves")
        with request("GET", f"{url}manifest.json") as manifest:
            manifest.read()
        command.terminate()
        ended = command.finish(PROMPT)

    assert (manifest.status, ended.code) == (200, 0)
