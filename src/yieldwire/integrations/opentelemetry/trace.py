"""A span for each attempt and each reader.

Theory of operation. A run outlives the request that starts it, and another process can execute it.
So the trace context of the start is kept with the run, and each attempt is a child of that span.
An attempt's span becomes the current one in the attempt's own task, and is never taken away
there: the context ends with the task. A reader comes and goes, often long after the start, so its
span belongs to its own request, and is linked to the run's. It is never the current span.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Final

from opentelemetry.context import Context, attach, get_current
from opentelemetry.propagate import extract, inject
from opentelemetry.trace import (
    Link,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TracerProvider,
    get_current_span,
    get_tracer,
    set_span_in_context,
)
from pydantic_core import from_json

from yieldwire.errors import Json, YieldwireError
from yieldwire.hooks import Hooks, carried_by
from yieldwire.integrations.metric import error_type
from yieldwire.log.run import RunRecord, Status

NAME: Final = "yieldwire"
"""The name of the instrumentation scope, and the namespace of attributes."""

_NONE: Final[tuple[str, Span | None]] = ("", None)
_starting: Final[ContextVar[tuple[str, Span | None]]] = ContextVar("starting", default=_NONE)
"""The run that is about to be created, and the span of its start."""


class Tracing(Hooks):
    """Makes the spans."""

    def __init__(self, tracer_provider: TracerProvider | None = None) -> None:
        self._tracer = get_tracer(NAME, tracer_provider=tracer_provider)
        self._attempts: dict[tuple[str, int], Span] = {}
        self._readers: dict[str, Span] = {}

    def carried(self, run: RunRecord, /) -> Mapping[str, str]:
        """Return the trace context of the start."""
        context, carrier = get_current(), dict[str, str]()
        if not _span_in(context).is_valid:  # no middleware has read the request's headers
            context = extract(from_json(run.context)["request"]["headers"])
        if not _span_in(context).is_valid:
            # The attempts of a run need one trace, to which its readers can be linked.
            name = f"start {run.action}"
            span = self._tracer.start_span(name, context, SpanKind.PRODUCER, _facts(run))
            _starting.set((run.id, span))
            context = set_span_in_context(span, context)
        inject(carrier, context)
        return carrier

    def run_created(self, run: RunRecord, /) -> None:
        """End the span of the start. One that is never ended, as no run is created, is dropped."""
        run_id, span = _starting.get()
        if span is not None and run_id == run.id:
            _starting.set(_NONE)
            span.end()

    def attempt_started(self, run: RunRecord, /) -> None:
        """Start its span, as a child of the start's."""
        context = extract(carried_by(run), Context())
        kind = SpanKind.INTERNAL if run.queue is None else SpanKind.CONSUMER
        span = self._tracer.start_span(f"run {run.action}", context, kind, _facts(run))
        self._attempts[run.id, run.attempt] = span
        attach(set_span_in_context(span, context))

    def question_asked(self, run: RunRecord, question: Mapping[str, Json], /) -> None:
        """Add an event, without what the question says."""
        facts = {f"{NAME}.question.{name}": str(question[name]) for name in ("id", "name")}
        self._attempts[run.id, run.attempt].add_event(f"{NAME}.question", facts)

    def step_recorded(self, run: RunRecord, name: str, /) -> None:
        """Add an event."""
        span = self._attempts[run.id, run.attempt]
        span.add_event(f"{NAME}.step", {f"{NAME}.step.name": name})

    def attempt_ended(self, run: RunRecord, error: BaseException | None, /) -> None:
        """End its span."""
        span = self._attempts.pop((run.id, run.attempt))
        span.set_attribute(f"{NAME}.run.status", run.status.value)
        if error is not None and run.status in {Status.FAILED, Status.PENDING}:
            span.set_attribute("error.type", error_type(error))
            if isinstance(error, YieldwireError):
                span.set_status(StatusCode.ERROR)  # its text is an answer to the caller
            else:
                span.set_status(StatusCode.ERROR, str(error))
                span.record_exception(error)
        span.end()

    def reader_came(self, run_id: str, reader: str, after: int, run: RunRecord | None, /) -> None:
        """Start a span in the trace of its request, linked to the run's."""
        name, links = "read", list[Link]()
        if run is not None:
            name, start = f"read {run.action}", _span_in(extract(carried_by(run), Context()))
            links = [Link(start)] if start.is_valid else []
        facts: dict[str, str | int] = {f"{NAME}.run.id": run_id, f"{NAME}.reader.after": after}
        self._readers[reader] = self._tracer.start_span(name, attributes=facts, links=links)

    def reader_left(self, run_id: str, reader: str, /) -> None:
        """End its span."""
        self._readers.pop(reader).end()


def _span_in(context: Context) -> SpanContext:
    return get_current_span(context).get_span_context()


def _facts(run: RunRecord) -> dict[str, str | int]:
    """Return the attributes of a span about ``run``."""
    facts: dict[str, str | int] = {
        f"{NAME}.run.id": run.id,
        f"{NAME}.action.name": run.action,
    }
    if run.queue is not None:
        facts[f"{NAME}.queue.name"] = run.queue
    if run.parent is not None:
        facts[f"{NAME}.run.parent_id"] = run.parent
    if run.attempt:
        facts[f"{NAME}.run.attempt"] = run.attempt
    return facts
