"""Spans in the exporter that keeps them in memory."""

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from yieldwire.hooks import Hooks
from yieldwire.integrations.opentelemetry import tracing

TRACE, BROWSER = 0xD4CDA95B652F4A1592B449D5929FDA1B, 0x6E0C63257DE34C92
"""The ids of a trace, and of a browser's span in it."""
TRACEPARENT = f"00-{TRACE:032x}-{BROWSER:016x}-01"


class Spans:
    """A tracer provider of its own, and what it has exported."""

    def __init__(self) -> None:
        self.provider, self._exporter = TracerProvider(), InMemorySpanExporter()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    def tracing(self) -> Hooks:
        return tracing(tracer_provider=self.provider)

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self._exporter.get_finished_spans() if span.name == name]

    def one(self, name: str) -> ReadableSpan:
        (span,) = self.named(name)
        return span


def parent(span: ReadableSpan) -> tuple[int, int] | None:
    """Return the ids of the trace and the span of a span's parent."""
    return None if span.parent is None else (span.parent.trace_id, span.parent.span_id)


def linked(span: ReadableSpan) -> list[tuple[int, int]]:
    """Return the same of the spans that it is linked to."""
    return [(link.context.trace_id, link.context.span_id) for link in span.links]
