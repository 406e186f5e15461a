"""The metrics of an application, as OpenTelemetry's SDK takes them."""

import sys
from pathlib import Path

import pytest
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import CollectorRegistry

from tests.support.measured import measure
from yieldwire.hooks import Watch
from yieldwire.integrations import prometheus
from yieldwire.integrations.opentelemetry import metrics


def samples(registry: CollectorRegistry) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return what does not depend on how long something has taken, by names and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in registry.collect()
        for sample in family.samples
        if not sample.name.endswith(("_created", "_bucket", "_sum"))
        and not family.name.startswith("yieldwire_store")
    }


def names(registry: CollectorRegistry) -> set[tuple[str, frozenset[str], str]]:
    return {
        (sample.name, frozenset(sample.labels), family.type)
        for family in registry.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


async def test_opentelemetry_and_prometheus_have_the_same_metrics(tmp_path: Path) -> None:
    exported, direct = CollectorRegistry(), CollectorRegistry()
    reader = PrometheusMetricReader(
        disable_target_info=True, scope_info_enabled=False, registry=exported
    )
    provider = MeterProvider([reader])
    for name, hook in (
        ("exported", metrics(meter_provider=provider)),
        ("direct", prometheus.metrics(direct)),
    ):
        tmp_path.joinpath(name).mkdir()
        await measure(hook, tmp_path / name)

    assert names(exported) == names(direct)
    assert samples(exported) == samples(direct)
    provider.shutdown()


def test_without_the_api_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "yieldwire.integrations.opentelemetry.metric")
    monkeypatch.setitem(sys.modules, "opentelemetry.metrics", None)

    watch = Watch([metrics()])

    assert not watch.has_blocks
    assert not watch.has_store_calls
