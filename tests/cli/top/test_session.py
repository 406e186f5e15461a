"""The live view in a real terminal of 80 columns and 24 lines, with a real server."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.screen import Screen, showing
from tests.cli.terminal import running
from tests.conftest import Serve
from tests.support.ports import free_port
from tests.support.world import BRISK
from yieldwire import Actions, Context, Progress, Text
from yieldwire.asgi import watching
from yieldwire.client import Client

RUNS, ACTIVE = 200, 50
MOST_OF_A_CORE = 0.05


APP = """
import asyncio

from yieldwire import Actions

actions = Actions(store='STORE')


@actions.action
async def add(a: int) -> int:
    return a


@actions.action
async def wait() -> None:
    await asyncio.Event().wait()
"""


def application() -> Actions:
    actions = Actions(identify=lambda _: "ada", timing=BRISK)

    @actions.action(linger=None)
    async def count(to: int, every: float = 0.2) -> AsyncIterator[Progress]:
        for n in range(1, to + 1):
            yield Progress(n, total=to, message=f"row {n}")
            await asyncio.sleep(every)

    @actions.action
    async def add(a: int) -> int:
        return a

    @actions.action(linger=None)
    async def talk() -> AsyncIterator[Text]:
        yield Text("Some words.\n")
        await asyncio.Event().wait()

    @actions.action(asks=bool, linger=None)
    async def publish(ctx: Context) -> AsyncIterator[Text]:
        yield Text("Checked.\n")
        yield Text(f"Published: {await ctx.ask(bool, 'Publish this?')}\n")

    return actions


@pytest.fixture
def calm_url(serve: Serve) -> str:
    """A server that tells about changes as often as everywhere."""
    return serve(application()).url


@pytest.fixture
def url(calm_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A server that tells about changes at once."""
    monkeypatch.setattr(watching, "EVERY", 0.05)
    return calm_url


@contextmanager
def top(url: str, folder: Path, *options: str) -> Generator[Screen, None, None]:
    with showing("top", url, *options, cwd=folder, columns=80) as screen:
        yield screen


def test_200_runs_are_readable_and_cost_little(calm_url: str, tmp_path: Path) -> None:
    url = calm_url
    with Client(url) as client:
        for n in range(RUNS - ACTIVE):
            client.start("add", {"a": n})
        for n in range(ACTIVE):
            client.start("count", {"to": 1000 + n, "every": 0.5})

    with top(url, tmp_path) as screen:
        screen.wait_for(f"{ACTIVE} active of {RUNS} runs")
        screen.wait_for("of 1049, row")
        before, began = screen.cpu_seconds(), time.monotonic()
        time.sleep(2)
        share = (screen.cpu_seconds() - before) / (time.monotonic() - began)
        lines = screen.lines()

    assert share < MOST_OF_A_CORE
    assert lines[0].endswith(url)
    assert f"1-14 of {RUNS}" in lines[1]
    assert {line[2:9] for line in lines[2:16]} == {"running"}
    assert all("%" in line and len(line) == 80 for line in lines[2:16])
    assert lines[23].endswith("q quit")


def test_the_log_of_the_selected_run_is_shown_and_a_run_is_cancelled(
    url: str, tmp_path: Path
) -> None:
    with Client(url) as client, top(url, tmp_path) as screen:
        screen.wait_for("no runs")
        run = client.start("talk")
        screen.wait_for("Some words.")

        screen.press("c")
        screen.wait_for(f"Cancel talk {run.id}? y/n")
        screen.press("n")
        screen.press("c")
        screen.press("y")
        screen.wait_for(f"{run.id} was asked to stop.")
        screen.wait_for("CANCELLED: The run was cancelled.")
        assert run.snapshot()["status"] == "cancelled"

        screen.press("q")
        code, lines = screen.finish()

    assert (code, [line for line in lines if line]) == (0, [])


def test_a_question_is_answered_below_the_view(url: str, tmp_path: Path) -> None:
    with Client(url) as client, top(url, tmp_path) as screen:
        run = client.start("publish")
        screen.wait_for("Question 1: Publish this? (a: answer)")

        screen.press("a")
        screen.wait_for("answer [y/n]:")
        screen.press("C-d")
        screen.wait_for("Press Enter to return to the list.")
        screen.press("Enter")
        screen.wait_for("asking")
        screen.press("a")
        screen.wait_for("answer [y/n]:")
        screen.type("y")
        screen.wait_for("Published: True")

        assert run.snapshot()["status"] == "completed"


def test_a_prompt_ends_if_somebody_else_answers(url: str, tmp_path: Path) -> None:
    with Client(url) as client, top(url, tmp_path) as screen:
        run = client.start("publish")
        screen.wait_for("(a: answer)")
        screen.press("a")
        screen.wait_for("answer [y/n]:")

        run.answer("1", value=False)
        screen.wait_for("Published: False")
        screen.press("s")
        screen.wait_for("only active")


def test_words_and_a_status_filter_the_list(url: str, tmp_path: Path) -> None:
    with Client(url) as client, top(url, tmp_path) as screen:
        client.start("talk")
        client.start("add", {"a": 1}).result()
        screen.wait_for("completed")

        for key in "/talk":
            screen.press(key)
        screen.wait_for("1-1 of 1")
        screen.press("Escape")
        screen.wait_for("1-2 of 2")
        screen.press("?")
        screen.wait_for("Press any key to return.")


def test_a_server_that_is_away_is_told_until_it_is_back(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP.replace("STORE", "sqlite:///runs.db"))
    port = str(free_port())
    serve = ["dev", "app.py", "--port", port, "--no-reload"]
    with running(*serve, cwd=tmp_path) as server:
        url = server.wait_for("serves").rpartition(" ")[2]
        with Client(url) as client:
            client.start("add", {"a": 1}).result()
        with top(url, tmp_path) as screen:
            screen.wait_for("0 active of 1 runs")
            server.terminate()
            screen.wait_for("Reconnecting in ")

            with running(*serve, cwd=tmp_path) as again:
                again.wait_for("serves")
                with Client(url) as client:
                    client.start("add", {"a": 2}).result()
                screen.wait_for("0 active of 2 runs")
                assert "Reconnecting" not in "\n".join(screen.lines())


def test_runs_that_the_server_no_longer_has_disappear(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP.replace("STORE", "memory"))
    port = str(free_port())
    serve = ["dev", "app.py", "--port", port, "--no-reload"]
    with running(*serve, cwd=tmp_path) as server:
        url = server.wait_for("serves").rpartition(" ")[2]
        with Client(url) as client:
            client.start("add", {"a": 1}).result()
        with top(url, tmp_path) as screen:
            screen.wait_for("0 active of 1 runs")
            server.terminate()
            server.finish()

            with running(*serve, cwd=tmp_path) as again:
                again.wait_for("serves")
                screen.wait_for("0 active of 0 runs")


def test_ctrl_c_leaves_the_terminal_as_it_was(url: str, tmp_path: Path) -> None:
    with top(url, tmp_path) as screen:
        screen.wait_for("no runs")
        screen.press("C-c")
        code, lines = screen.finish()

    assert (code, [line for line in lines if line and line != "^C"]) == (0, [])


def test_a_view_can_be_stopped_and_continued(url: str, tmp_path: Path) -> None:
    with Client(url) as client, top(url, tmp_path) as screen:
        screen.wait_for("no runs")
        screen.signal(signal.SIGTSTP)
        screen.wait_until(lambda lines: not any(lines))

        client.start("talk")
        screen.signal(signal.SIGCONT)
        screen.wait_for("1 active of 1 runs")
        screen.press("?")
        screen.wait_for("Press any key to return.")


def test_keys_work_while_the_server_is_away(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP.replace("STORE", "memory"))
    with running("dev", "app.py", "--port", "0", "--no-reload", cwd=tmp_path) as server:
        url = server.wait_for("serves").rpartition(" ")[2]
        with Client(url) as client:
            client.start("wait")
        with top(url, tmp_path) as screen:
            screen.wait_for("1 active of 1 runs")
            server.kill()
            screen.wait_for("Reconnecting in ")
            screen.press("c")
            screen.press("y")
            screen.press("q")
            code, _ = screen.finish()

    assert code == 0


def test_a_refused_list_is_an_error_and_not_a_screen(url: str, tmp_path: Path) -> None:
    with top(url, tmp_path, "--status", "lost") as screen:
        code, lines = screen.finish()

    assert (code, lines[0][:21]) == (3, "PARSE_ERROR: status= ")
