"""The demo of several servers and workers: they share one store, and end together."""

import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
SOON = 60.0


@pytest.mark.timeout(240)  # seven processes start
def test_servers_and_workers_share_runs_until_they_are_stopped() -> None:
    process = subprocess.Popen(
        [sys.executable, "examples/scale/run.py", "--port", "0"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        with httpx.Client(base_url=url, timeout=SOON) as client:
            servers = [result_of(client, "which_server", {}) for _ in range(4)]
            report = result_of(client, "build_report", {"pages": 3, "pause": 0})
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=SOON)

    assert servers[0] != servers[1]
    assert servers == servers[:2] * 2
    assert report == "3 pages, in attempt 1"
    assert process.returncode == 0


def result_of(client: httpx.Client, action: str, data: dict[str, object]) -> object:
    # Each call is a connection of its own, so it goes to the next server.
    headers = {"Accept": "application/json", "Connection": "close", "Prefer": "wait=60"}
    return client.post(action, json=data, headers=headers).json()["result"]
