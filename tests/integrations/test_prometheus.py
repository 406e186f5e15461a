"""The metrics of an application as Prometheus scrapes them."""

import sys
from importlib import import_module
from pathlib import Path

import pytest
from prometheus_client import REGISTRY, CollectorRegistry, make_asgi_app
from prometheus_client.parser import text_string_to_metric_families

from tests.support.calls import get, send
from tests.support.measured import EVENTS, WAIT, measure
from yieldwire import Actions
from yieldwire.errors import MissingDependency
from yieldwire.integrations.prometheus import metrics


async def scraped(registry: CollectorRegistry) -> dict[str, float]:
    """Return the samples of a scrape by their names, with their labels if there are any."""
    answer = await send(make_asgi_app(registry), get("/metrics"))
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(answer.body.decode())
        for sample in family.samples
    }


async def test_prometheus_scrapes_what_has_happened(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    await measure(metrics(registry), tmp_path)
    samples = await scraped(registry)

    expected = {
        "yieldwire_runs_started_total count": 2,
        "yieldwire_runs_started_total report": 1,
        "yieldwire_runs_ended_total count completed": 2,
        "yieldwire_runs_ended_total fail failed": 1,
        "yieldwire_starts_refused_total count VALIDATION_ERROR": 1,
        "yieldwire_requests_refused_total VALIDATION_ERROR": 1,
        "yieldwire_events_total count": 2 * EVENTS,
        "yieldwire_run_first_event_seconds_count count": 2,
        "yieldwire_run_first_event_seconds_count report": 1,
        "yieldwire_attempts_active count": 0,
        "yieldwire_attempts_active report": 0,
        "yieldwire_attempt_duration_seconds_count fail pending": 1,
        "yieldwire_attempt_duration_seconds_count fail failed": 1,
        "yieldwire_attempt_duration_seconds_count report running": 1,
        "yieldwire_queue_wait_seconds_count reports": 1,
        "yieldwire_queue_wait_seconds_sum reports": WAIT,
        "yieldwire_readers_active": 0,
        "yieldwire_readers_resumed_total": 1,
    }
    assert {name: samples.get(name) for name in expected} == expected
    assert samples["yieldwire_run_first_event_seconds_sum report"] >= WAIT
    assert samples["yieldwire_store_duration_seconds_count create"] == 4
    assert samples["yieldwire_store_failures_total hold"] >= 1


def test_applications_of_one_process_share_a_registry() -> None:
    registry = CollectorRegistry()

    assert metrics(registry) is metrics(registry)
    assert metrics() is metrics(REGISTRY) is metrics(registry=REGISTRY)
    assert len({Actions(hooks=[metrics(registry)]) for _ in range(2)}) == 2


def test_a_client_library_that_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "yieldwire.integrations.prometheus")
    monkeypatch.setitem(sys.modules, "prometheus_client", None)

    with pytest.raises(MissingDependency, match=r"pip install 'yieldwire\[prometheus\]'"):
        import_module("yieldwire.integrations.prometheus")
