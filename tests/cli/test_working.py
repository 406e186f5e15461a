"""``worker`` as a process."""

from pathlib import Path

import pytest

from tests.cli.terminal import run, running
from tests.cli.test_serving import PROMPT, request, serving, stopped

APP = """
import asyncio
from collections.abc import AsyncIterator

from yieldwire import Actions

actions = Actions(store={store!r})


@actions.action(queue="slow", linger=None)
async def count(to: int) -> AsyncIterator[int]:
    for number in range(to):
        yield number


@actions.action
async def plain() -> int:
    return 42
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP.format(store="sqlite:///runs.db"))
    return tmp_path


def answer_of(url: str) -> tuple[int, str]:
    with request("GET", url) as answer:
        return answer.status, answer.read().decode()


def test_a_worker_executes_what_a_server_starts_until_it_is_told_to_stop(app: Path) -> None:
    with serving("serve", "app.py", cwd=app) as (server, url):
        with running("call", url, "count", "to=3", cwd=app) as caller:
            caller.wait_for_note("Next in line")
            with running("worker", "app.py", "--health-port", "0", cwd=app) as worker:
                said, _, health = worker.wait_for_note("takes runs").rstrip().partition("; ")
                urls = [word.rstrip(",") for word in health.split() if word.startswith("http")]
                called = caller.finish(PROMPT)
                answers = [answer_of(url) for url in urls]
                worker.terminate()
                ended = worker.finish(PROMPT)
        stopped(server)

    assert said == "A worker takes runs of app.py from slow, 10 at a time"
    assert answers == [
        (200, "live\n"),
        (200, "ready\n"),
        (200, '{"slow":{"waiting":0,"oldestSeconds":0.0}}'),
    ]
    assert (called.code, called.out) == (0, "0\n1\n2\n")
    assert ended.code == 0


def test_dev_executes_the_runs_of_queues_itself(app: Path) -> None:
    with serving("dev", "app.py", "--no-reload", cwd=app) as (server, url):
        called = run("call", url, "count", "to=2", cwd=app)
        stopped(server)

    assert (called.code, called.out) == (0, "0\n1\n")


@pytest.mark.parametrize(
    ("source", "arguments", "told"),
    [
        (
            APP.format(store="memory"),
            [],
            (
                "A worker cannot share the store of app.py: it lives in one process, which "
                "executes its runs itself. Use a store that more than one process can reach, such "
                "as Actions(store='sqlite:///runs.db')."
            ),
        ),
        (
            APP.format(store="sqlite:///runs.db"),
            ["--queues", "slow,fast"],
            "No action of app.py has the queue 'fast'; its queues are: slow.",
        ),
        (
            APP.format(store="sqlite:///runs.db").replace('queue="slow", ', ""),
            [],
            (
                "No action of app.py has a queue: declare those that workers execute with "
                "@actions.action(queue='default')."
            ),
        ),
        (
            APP.format(store="sqlite:///missing/runs.db"),
            [],
            "Runs cannot be kept in missing/runs.db: the folder missing does not exist.",
        ),
    ],
    ids=["memory", "unknown queue", "no queue", "no folder"],
)
def test_a_worker_that_cannot_work_says_why(
    tmp_path: Path, source: str, arguments: list[str], told: str
) -> None:
    (tmp_path / "app.py").write_text(source)

    ended = run("worker", "app.py", *arguments, cwd=tmp_path)

    assert ended.code != 0
    assert told in " ".join(ended.err.split())
