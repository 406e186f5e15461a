"""Metrics for Prometheus, by its own client library. The one module that imports it."""

from functools import cache, partial
from typing import Final, TypeVar

from yieldwire.errors import MissingDependency
from yieldwire.hooks import Hooks
from yieldwire.integrations.metric import BOUNDS, Kind, Metric, Metrics, Record

try:
    from prometheus_client import (
        REGISTRY,
        CollectorRegistry,
        Counter,
        Gauge,
        Histogram,
        generate_latest,
    )
except ImportError as _exc:
    raise MissingDependency("prometheus-client", "prometheus", __name__) from _exc


T = TypeVar("T", Counter, Gauge)


def metrics(registry: CollectorRegistry = REGISTRY) -> Hooks:
    """Return a hook that records metrics in a registry, for ``Actions(hooks=[metrics()])``."""
    return _metrics_in(registry)


@cache  # a registry takes each name once, and several applications of a process share it
def _metrics_in(registry: CollectorRegistry) -> Hooks:
    return Metrics(partial(_opened, registry))


def exposition() -> str:
    """Return everything in the default registry, as Prometheus reads it."""
    return generate_latest(REGISTRY).decode()


def _opened(registry: CollectorRegistry, metric: Metric) -> Record:
    name, labels = _name(metric), [label.replace(".", "_") for label in metric.labels]
    match metric.kind:
        case Kind.COUNTER:
            counter = Counter(name, metric.text, labels, registry=registry)
            return _counting(counter)
        case Kind.GAUGE:
            gauge = Gauge(name, metric.text, labels, registry=registry, multiprocess_mode="livesum")
            return _counting(gauge)
        case Kind.SECONDS:
            histogram = Histogram(name, metric.text, labels, registry=registry, buckets=BOUNDS)
            of_labels = cache(histogram.labels)
            return lambda seconds, *values: of_labels(*values).observe(seconds)


def _counting(metric: T) -> Record:
    of_labels = cache(metric.labels)  # a look-up of its own takes longer than to count
    return lambda amount, *values: (of_labels(*values) if values else metric).inc(amount)


_SUFFIXES: Final = {Kind.COUNTER: "", Kind.GAUGE: "", Kind.SECONDS: "_seconds"}


def _name(metric: Metric) -> str:
    """Return the name as OpenTelemetry's exporter for Prometheus writes it."""
    return metric.name.replace(".", "_") + _SUFFIXES[metric.kind]
