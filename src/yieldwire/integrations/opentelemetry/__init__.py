"""OpenTelemetry: traces and figures of runs, as hooks. Without its API, they do nothing."""

from typing import TYPE_CHECKING

from yieldwire.hooks import Hooks

if TYPE_CHECKING:
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


def _nothing(exc: ImportError) -> Hooks:
    """Return a hook that does nothing, if it is the API that could not be imported."""
    if not str(exc.name).startswith("opentelemetry"):
        raise exc
    return Hooks()
