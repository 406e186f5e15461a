"""The guide to logging: one line for each record, and the run's id in all of them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.conftest import Load
from yieldwire.errors import Json

PROGRAM = """
import asyncio, logging, sys
from app import actions

@actions.action
def work() -> None:
    logging.getLogger("work").info("in a thread")

@actions.action
async def fail() -> None:
    raise KeyError("price")

async def main():
    async with actions.lifespan():
        for name, data in ("greet", {"name": "Ada"}), ("work", {}), ("fail", {}):
            run = await actions.start(actions.app.registry.action_named(name), data)
            try:
                await run.result()
            except Exception as exc:
                print(exc.error_id)

asyncio.run(main())
"""


@pytest.fixture
def done(load: Load, modules: Path) -> subprocess.CompletedProcess[str]:
    """A program, in a process of its own, that logs as the guide says."""
    load("log-what-happens.md")
    return subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=modules, text=True, capture_output=True, check=True
    )


def lines(done: subprocess.CompletedProcess[str], action: str) -> list[dict[str, Json]]:
    """Return the records of the run of an action: those with the same id as its start."""
    every: list[dict[str, Json]] = [json.loads(line) for line in done.stderr.splitlines()]
    [run] = [line["run"] for line in every if line["message"] == f"run starts: {action}"]
    return [line for line in every if line["run"] == run]


def test_the_records_of_a_run_have_its_id(done: subprocess.CompletedProcess[str]) -> None:
    assert [(line["logger"], line["message"]) for line in lines(done, "greet")] == [
        ("yieldwire.worker", "run starts: greet"),
        ("app", "greeting"),
        ("yieldwire.worker", "run ends: greet, completed"),
    ]


def test_a_record_from_a_thread_has_it_too(done: subprocess.CompletedProcess[str]) -> None:
    assert "in a thread" in [line["message"] for line in lines(done, "work")]


def test_an_exception_is_one_line_with_the_error_id_that_the_caller_has(
    done: subprocess.CompletedProcess[str],
) -> None:
    [told] = [line for line in lines(done, "fail") if line["level"] == "ERROR"]

    assert told["message"] == f"run failed: fail, error id {done.stdout.strip()}"
    assert "KeyError: 'price'" in str(told["exception"])
