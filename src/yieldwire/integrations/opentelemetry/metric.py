"""Metrics for OpenTelemetry."""

from functools import partial

from opentelemetry.metrics import Meter, MeterProvider, get_meter

from yieldwire.integrations.metric import BOUNDS, Kind, Metric, Metrics, Record
from yieldwire.integrations.opentelemetry.trace import NAME


def opened(meter_provider: MeterProvider | None) -> Metrics:
    """Return the metrics that record to the provider, or to the global one."""
    return Metrics(partial(_opened, get_meter(NAME, meter_provider=meter_provider)))


def _opened(meter: Meter, metric: Metric) -> Record:
    name, unit, text, labels = metric.name, metric.unit, metric.text, metric.labels
    match metric.kind:
        case Kind.COUNTER:
            add = meter.create_counter(name, unit, text).add
        case Kind.GAUGE:
            add = meter.create_up_down_counter(name, unit, text).add
        case Kind.SECONDS:
            add = meter.create_histogram(
                name, unit, text, explicit_bucket_boundaries_advisory=BOUNDS
            ).record
    return lambda amount, *values: add(amount, dict(zip(labels, values, strict=True)))
