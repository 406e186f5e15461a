"""How many runs wait, as `queues` and the health of a worker tell it."""

import json
import sys
from collections.abc import Collection
from pathlib import Path

import pytest
from httpx2 import AsyncClient
from prometheus_client import REGISTRY, Counter

from yieldwire import Actions
from yieldwire.cli.health import health_app
from yieldwire.cli.queues import show_queues
from yieldwire.errors import StoreError, UsageError
from yieldwire.stores.line import Line
from yieldwire.stores.memory import MemoryStore
from yieldwire.stores.sqlite import SQLiteStore
from yieldwire.testing import MovingClock, StreamingTransport

APP = """
from yieldwire import Actions

actions = Actions(store={store!r})


@actions.action(queue="mail")
async def send() -> None:
    return


@actions.action(queue="reports")
async def report() -> None:
    return
"""


async def idle() -> None:
    return


async def busy() -> None:
    return


@pytest.fixture
def clock() -> MovingClock:
    return MovingClock()


@pytest.fixture
def actions(tmp_path: Path, clock: MovingClock) -> Actions:
    actions = Actions(store=SQLiteStore(tmp_path / "runs.db", clock=clock), clock=clock)
    actions.action(queue="reports")(idle)
    return actions


async def test_an_application_knows_the_depth_of_its_queues(
    actions: Actions, clock: MovingClock
) -> None:
    action = actions.app.registry.action_named("idle")
    async with actions.lifespan():
        assert await actions.queues() == {"reports": (0, 0.0)}
        await actions.start(action)
        clock.advance(30)
        await actions.start(action)
        await actions.start(action, {}, delay=60)

        depth = (await actions.queues())["reports"]

    assert (depth.waiting, depth.oldest) == (2, 30.0)


@pytest.mark.usefixtures("imports_as_before")
def test_the_queues_of_a_file_are_shown_as_a_table_or_as_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("app.py").write_text(APP.format(store="sqlite:///runs.db"))

    show_queues("app.py", as_json=False)
    show_queues("app.py", as_json=True)

    table, _, told = capsys.readouterr().out.rpartition('{"mail')
    assert table == "mail\t0\nreports\t0\n"
    assert json.loads('{"mail' + told) == {
        "mail": {"waiting": 0, "oldestSeconds": 0.0},
        "reports": {"waiting": 0, "oldestSeconds": 0.0},
    }


@pytest.mark.usefixtures("imports_as_before")
def test_queues_in_the_memory_of_a_process_cannot_be_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("app.py").write_text(APP.format(store="memory"))

    with pytest.raises(UsageError, match="in the process that serves it"):
        show_queues("app.py", as_json=False)


@pytest.fixture
def without_prometheus(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if nothing in this process used prometheus-client."""
    monkeypatch.delitem(sys.modules, "prometheus_client", raising=False)


def supervisor(*applications: Actions) -> AsyncClient:
    transport = StreamingTransport(health_app(applications))
    return AsyncClient(transport=transport, base_url="http://localhost")


@pytest.mark.usefixtures("without_prometheus")
async def test_a_supervisor_can_scale_workers_by_their_queues(
    tmp_path: Path, actions: Actions, clock: MovingClock
) -> None:
    other = Actions(store=SQLiteStore(tmp_path / "others.db", clock=clock), clock=clock)
    other.action(queue="mail")(idle)
    other.action(queue="reports")(busy)
    async with actions.lifespan(), other.lifespan(), supervisor(actions, other) as client:
        await actions.start(actions.app.registry.action_named("idle"))
        clock.advance(1.5)
        await other.start(other.app.registry.action_named("busy"))
        queues, metrics = await client.get("/queues"), await client.get("/metrics")

    assert queues.json() == {
        "mail": {"waiting": 0, "oldestSeconds": 0.0},
        "reports": {"waiting": 2, "oldestSeconds": 1.5},
    }
    assert metrics.text == (
        "# HELP yieldwire_queue_waiting Runs that wait.\n"
        "# TYPE yieldwire_queue_waiting gauge\n"
        'yieldwire_queue_waiting{queue="mail"} 0\n'
        'yieldwire_queue_waiting{queue="reports"} 2\n'
        "# HELP yieldwire_queue_oldest_seconds For how long the oldest of them has waited.\n"
        "# TYPE yieldwire_queue_oldest_seconds gauge\n"
        'yieldwire_queue_oldest_seconds{queue="mail"} 0.0\n'
        'yieldwire_queue_oldest_seconds{queue="reports"} 1.5\n'
    )


class AwayStore(MemoryStore):
    async def line(self, queue: str, run_ids: Collection[str], /) -> Line:
        raise StoreError("no answer")


@pytest.mark.usefixtures("without_prometheus")
async def test_a_supervisor_is_told_that_the_store_cannot_be_asked() -> None:
    actions = Actions(store=AwayStore())
    actions.action(queue="reports")(idle)
    async with supervisor(actions) as client:
        answers = [await client.get(path) for path in ("/queues", "/metrics", "/live")]

    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert answers[0].text == "no answer\n"


@pytest.mark.parametrize("store", [MemoryStore, AwayStore])
async def test_a_worker_is_scraped_for_all_metrics_of_its_process(store: type[MemoryStore]) -> None:
    counter = Counter("letters", "Letters that were sent.", registry=None)
    counter.inc(3)
    actions = Actions(store=store())
    actions.action(queue="reports")(idle)
    REGISTRY.register(counter)
    try:
        async with supervisor(actions) as client:
            answer = await client.get("/metrics")
    finally:
        REGISTRY.unregister(counter)

    assert answer.status_code == 200
    assert "letters_total 3.0" in answer.text.splitlines()
    assert ("yieldwire_queue_waiting" in answer.text) is (store is MemoryStore)


async def test_a_worker_is_ready_until_it_stops(actions: Actions) -> None:
    async with actions.lifespan(), supervisor(actions) as client:
        ready = await client.get("/ready")
        actions.drain()
        stopping, live = await client.get("/ready"), await client.get("/live")

    assert (ready.status_code, ready.text) == (200, "ready\n")
    assert (stopping.status_code, stopping.text) == (503, "stopping\n")
    assert live.status_code == 200
