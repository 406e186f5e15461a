"""OpenTelemetry: traces and metrics of runs, as hooks. Without its API, they do nothing."""

from typing import TYPE_CHECKING

from yieldwire.hooks import Hooks

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider


def tracing(*, tracer_provider: "TracerProvider | None" = None) -> Hooks:
    """Return a hook that traces attempts and readers, for ``Actions(hooks=[tracing()])``.

    Without the package opentelemetry-api it does nothing.

    Args:
        tracer_provider: Makes the spans; by default the one that the application sets globally.
    """
    try:
        from yieldwire.integrations.opentelemetry.trace import Tracing  # noqa: PLC0415 - optional
    except ImportError as exc:
        return _nothing(exc)
    return Tracing(tracer_provider)


def metrics(*, meter_provider: "MeterProvider | None" = None) -> Hooks:
    """Return a hook that records metrics, for ``Actions(hooks=[metrics()])``.

    Without the package opentelemetry-api it does nothing.

    Args:
        meter_provider: Takes the metrics; by default the one that the application sets globally.
    """
    try:
        from yieldwire.integrations.opentelemetry.metric import opened  # noqa: PLC0415 - optional
    except ImportError as exc:
        return _nothing(exc)
    return opened(meter_provider)


def _nothing(exc: ImportError) -> Hooks:
    """Return a hook that does nothing, if it is the API that could not be imported."""
    if not str(exc.name).startswith("opentelemetry"):
        raise exc
    return Hooks()
