"""Durable Streams that are written from outside: by the published client, and by the public suite.

By default the suite runs without its tests with generated input; with ``DURABLE_SUITE=all`` it runs
them too. ``durable.suite.json`` has the number of tests that pass, and those that do not by reason.
"""

import json
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from tests.support.server import ThreadServer
from tests.vendor.conformance import proves
from tests.vendor.driving import HERE, NODE, Observed, drive
from yieldwire import Actions, RequestLimits, Timing
from yieldwire.dialects import DurableStreams

CLIENT: Final = "@durable-streams/client"
RECORDED: Final[Any] = json.loads((HERE / "durable.suite.json").read_text())
SLOW: Final = ("Property-Based", "Chunking")
SECONDS: Final = 200


async def leave(run_id: str) -> None:
    """Leave the run to those who append to it."""


async def journal() -> AsyncIterator[Any]:
    yield 0
    raise AssertionError("others append")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    limits = RequestLimits(json_bytes=16 * 1024 * 1024)
    actions = Actions(
        executor=leave,
        identify=lambda _connection: "suite",  # its names are not random
        origins=["*"],
        max_runs=None,
        request_limits=limits,
        timing=Timing(grace=0.0),
    )
    actions.action(linger=None)(journal)
    routes = [
        Mount("/v1/stream", DurableStreams(actions.journal, long_poll=0.5, appends=True)),
        Mount("/native", actions),
        Mount("/", DurableStreams(actions, appends=True)),
    ]
    with ThreadServer(Starlette(routes=routes), actions=actions) as server:
        yield server.url


@pytest.fixture(scope="module")
def seen(url: str) -> Observed:
    return drive("durablewriter", url)


@proves(CLIENT, "IdempotentProducer: no message is lost or repeated, whatever answers are lost")
def test_a_producer_whose_answers_are_lost_appends_each_message_once(seen: Observed) -> None:
    produced = seen["produced"]

    assert produced["values"] == [*({"n": n} for n in range(1, 6)), "end"]
    assert produced["isClosed"]


@proves(CLIENT, "IdempotentProducer: one that was replaced appends nothing more")
def test_a_producer_that_was_replaced_appends_nothing(seen: Observed) -> None:
    assert seen["replaced"] == {"values": ["x", "x"], "isClosed": True}


@proves(CLIENT, "DurableStream.append and close, with text")
def test_a_text_is_appended_and_closed(seen: Observed) -> None:
    assert seen["text"] == {"text": "one\n✓", "late": 409}


@proves(CLIENT, "DurableStream.append: a job produces a run by its id")
def test_a_job_produces_a_run_by_its_id(seen: Observed) -> None:
    assert seen["byId"] == {"status": "completed", "progress": 1}


@pytest.fixture(scope="module")
def results(url: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Return the names of the suite's tests by their status."""
    report: Path = tmp_path_factory.mktemp("suite") / "report.json"
    vitest = HERE / "node_modules" / "vitest" / "vitest.mjs"
    # Some of its tests give up after two seconds, which a busy machine exceeds: they get a retry.
    options = ["--reporter=json", f"--outputFile={report}", "--testTimeout=60000", "--retry=2"]
    if os.environ.get("DURABLE_SUITE") != "all":
        options += ["--sequence.concurrent", "--maxConcurrency=8", "-t", f"^(?!{'|'.join(SLOW)})"]
    subprocess.run(
        [NODE, vitest, "run", "durable.test.mjs", *options],
        cwd=HERE,
        env={**os.environ, "SUITE_URL": url},
        capture_output=True,
        check=False,
        timeout=SECONDS,
    )
    named: dict[str, list[str]] = {"passed": [], "failed": [], "pending": [], "skipped": []}
    for file in json.loads(report.read_text())["testResults"]:
        for test in file["assertionResults"]:
            named[test["status"]].append(test["fullName"])
    return named


@proves("@durable-streams/server-conformance-tests", "all but expiry and forks: see the guide")
def test_the_public_suite_passes_but_for_the_tests_whose_reason_is_recorded(
    results: dict[str, list[str]],
) -> None:
    left_out = [*results["pending"], *results["skipped"]]
    slow = [name for name in left_out if name.startswith(SLOW)]

    missing = [name for names in RECORDED["missing"].values() for name in names]
    assert sorted(results["failed"]) == sorted(missing)
    assert len(results["passed"]) + len(slow) == RECORDED["passed"]
    assert len(left_out) - len(slow) == RECORDED["skipped"]


def test_the_guide_says_the_number() -> None:
    guide = HERE.parent.parent / "docs" / "guides" / "use-from-durable-streams.md"
    missing = {reason: len(names) for reason, names in RECORDED["missing"].items()}
    total = RECORDED["passed"] + sum(missing.values()) + RECORDED["skipped"]

    said = guide.read_text("utf-8")

    assert f"{RECORDED['passed']} of its {total} tests pass" in said
    for reason, number in missing.items():
        assert f"{number} tests of {reason}" in said
