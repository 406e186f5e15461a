"""What scene N watches from outside of a server."""

import sys
from dataclasses import replace

import pytest

from benchmarks.environment import Environment
from benchmarks.load import loaded, loading
from benchmarks.machine import ROOT
from benchmarks.peer import read_peers
from benchmarks.scene import asked
from benchmarks.server import running
from benchmarks.soak import slope

MEGABYTE = 1024 * 1024


def test_growth_is_that_of_the_line_that_fits_best() -> None:
    steady = [(second, 50.0 * MEGABYTE) for second in range(10)]
    growing = [(second, (50 + second / 4 + second % 2) * MEGABYTE) for second in range(11)]

    assert slope([(float(at), size) for at, size in steady]) == 0
    assert slope([(float(at), size) for at, size in growing]) == pytest.approx(MEGABYTE / 4)


def test_a_server_notes_its_garbage_collections_and_has_a_descriptor_for_each_stream() -> None:
    peer = replace(read_peers()["ours"], name="soak-test")
    command = (sys.executable, "-m", *peer.command)
    environment = Environment(command=command, directory=ROOT, versions=())

    with running(peer, environment, notes_pauses=True) as server:
        before, noted = server.descriptors(), len(server.pauses())
        with loading(server.port, asked(server, "idle"), connections=30) as load:
            load.wait_open(10.0)
            after = server.descriptors()
        loaded(server.port, asked(server, "hot", count=10), repeat=True, responses=300)
        pauses = server.pauses()

    assert 29 <= after - before <= 30  # the last question whether it is healthy can still be open
    assert len(pauses) > noted
    assert all(0 < pause < 5000 for pause in pauses)
