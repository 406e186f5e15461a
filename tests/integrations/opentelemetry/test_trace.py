"""Attempts and readers as spans, in the exporter that keeps them in memory."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from opentelemetry.instrumentation.asgi import (  # pyright: ignore[reportMissingTypeStubs]
    OpenTelemetryMiddleware,
)
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import NoOpTracerProvider, SpanKind, StatusCode, get_current_span

from tests.stores.test_postgres import postgres_store
from tests.stores.test_redis import redis_store
from tests.support.calls import get, post, send
from tests.support.runs import SOON, outcome
from tests.support.spans import BROWSER, TRACE, TRACEPARENT, Spans, linked, parent
from yieldwire import ActionError, Actions, Context, Retry, Timing
from yieldwire.hooks import Watch
from yieldwire.integrations.opentelemetry import tracing
from yieldwire.stores import RunStore
from yieldwire.stores.sqlite import SQLiteStore
from yieldwire.testing import MovingClock
from yieldwire.testing.contract.harness import record

QUIET = Timing(sweep_every=10 * SOON, grace=0.1)
FROM_BROWSER = ("traceparent", TRACEPARENT)

STORES: dict[str, Callable[[Path], RunStore]] = {
    "sqlite": lambda folder: SQLiteStore(folder / "runs.db"),
    "valkey": lambda _: redis_store(MovingClock()),
    "postgresql": lambda _: postgres_store(MovingClock()),
}


@pytest.fixture
def spans() -> Spans:
    return Spans()


def own(span: ReadableSpan) -> tuple[int, int]:
    """Return the ids of a span's trace, and of the span."""
    context = span.get_span_context()
    assert context is not None
    return context.trace_id, context.span_id


def facts(span: ReadableSpan, *names: str) -> list[object]:
    return [(span.attributes or {}).get(name) for name in names]


def current() -> int:
    return get_current_span().get_span_context().span_id


@pytest.mark.parametrize("kind", STORES)
async def test_a_trace_goes_from_a_browsers_request_to_the_attempt_in_a_worker(
    kind: str, tmp_path: Path, spans: Spans
) -> None:
    async def build(pages: int) -> int:
        return pages

    store = STORES[kind](tmp_path)
    server, worker, other = [
        Actions(store=store, timing=QUIET, hooks=[spans.tracing()]) for _ in range(3)
    ]
    for actions in (server, worker, other):
        actions.action(queue="reports", linger=None)(build)
    worker.app.working.take_from(["reports"])
    async with AsyncExitStack() as stack:
        for actions in (server, worker, other):
            await stack.enter_async_context(actions.lifespan())
        answer = await send(server, post("/build", {"pages": 2}, [FROM_BROWSER]))
        run_id = answer.json()["runId"]
        await send(other, get(f"/runs/{run_id}/events"))

    attempt = spans.one("run build")
    assert answer.json()["result"] == 2
    assert parent(attempt) == (TRACE, BROWSER)
    assert attempt.kind is SpanKind.CONSUMER
    assert attempt.attributes == {
        "yieldwire.run.id": run_id,
        "yieldwire.action.name": "build",
        "yieldwire.queue.name": "reports",
        "yieldwire.run.attempt": 1,
        "yieldwire.run.status": "completed",
    }
    for reader in spans.named("read build"):
        assert linked(reader) == [(TRACE, BROWSER)]
    assert len(spans.named("read build")) == 2
    assert spans.named("start build") == []


async def test_the_spans_of_a_host_are_the_parents_of_attempts_and_readers(spans: Spans) -> None:
    actions = Actions(timing=QUIET, hooks=[spans.tracing()])
    inner: list[int] = []

    @actions.action
    def count(to: int) -> Iterator[int]:
        for number in range(to):
            inner.append(current())
            yield number

    app = OpenTelemetryMiddleware(actions, tracer_provider=spans.provider)
    async with actions.lifespan():
        await send(app, post("/count", {"to": 2}))

    request, attempt, reader = (
        spans.one("POST /count"),
        spans.one("run count"),
        spans.one("read count"),
    )
    assert parent(attempt) == parent(reader) == own(request)
    assert attempt.kind is SpanKind.INTERNAL
    assert inner == [own(attempt)[1]] * 2
    assert linked(reader) == [own(request)]


async def test_all_attempts_of_a_run_are_in_one_trace_with_what_failed(spans: Spans) -> None:
    actions = Actions(timing=QUIET, hooks=[spans.tracing()])

    @actions.action(asks=bool, retries=Retry(3, backoff=0.001, on=[OSError]))
    async def flaky(ctx: Context) -> int:
        if ctx.attempt == 1:
            raise OSError("The disk is on fire.")
        number = await ctx.step("count", int, "3")
        await ctx.ask(bool, "Is it hidden?", timeout=0.01, default=True)
        raise ActionError("UNLUCKY", f"It is hidden, and {number}.")

    async with actions.lifespan():
        await outcome(await actions.start(flaky))

    start, (first, second) = spans.one("start flaky"), spans.named("run flaky")
    assert [parent(each) for each in (start, first, second)] == [None, own(start), own(start)]
    assert [
        facts(each, "yieldwire.run.attempt", "yieldwire.run.status", "error.type")
        for each in (first, second)
    ] == [
        [1, "pending", "builtins.OSError"],
        [2, "failed", "UNLUCKY"],
    ]
    assert first.status.status_code is second.status.status_code is StatusCode.ERROR
    assert [event.name for event in first.events] == ["exception"]
    assert [(event.name, *(event.attributes or {}).values()) for event in second.events] == [
        ("yieldwire.step", "count"),
        ("yieldwire.question", "1", "bool"),
    ]
    assert "hidden" not in second.to_json()


async def test_spans_nest_over_yields_and_never_reach_another_run(spans: Spans) -> None:
    actions = Actions(timing=QUIET, hooks=[spans.tracing()])
    tracer = spans.provider.get_tracer("app")

    @actions.action
    async def leaf() -> int:
        return current()

    @actions.action
    async def work(ctx: Context, name: str) -> AsyncIterator[str]:
        with tracer.start_as_current_span(f"inner {name}") as inner:
            for _ in range(5):
                yield name
                await asyncio.sleep(0)
                assert current() == inner.get_span_context().span_id
            await ctx.run(leaf)

    async with actions.lifespan():
        before = current()
        runs = [await actions.start(work, name=name) for name in ("a", "b")]
        ends = [(await outcome(run)).end for run in runs]
        after = current()

    attempts = {facts(span, "yieldwire.run.id")[0]: span for span in spans.named("run work")}
    assert [end[0] for end in ends] == ["done", "done"]
    assert before == after == 0
    for run, name in zip(runs, ("a", "b"), strict=True):
        attempt, inner = attempts[run.id], spans.one(f"inner {name}")
        (child,) = [
            span
            for span in spans.named("run leaf")
            if facts(span, "yieldwire.run.parent_id") == [run.id]
        ]
        assert parent(inner) == own(attempt)
        assert parent(child) == own(inner)


async def test_a_start_that_creates_no_run_has_no_span(spans: Spans) -> None:
    actions = Actions(timing=QUIET, hooks=[spans.tracing()])

    @actions.action
    async def count(to: int) -> int:
        return to

    key = ("idempotency-key", "k" * 22)
    async with actions.lifespan():
        answers = [await send(actions, post("/count", {"to": 2}, [key])) for _ in range(2)]

    assert answers[0].json()["runId"] == answers[1].json()["runId"]
    assert len(spans.named("start count")) == 1
    assert len(spans.named("read count")) == 2


def test_without_a_provider_nothing_is_carried() -> None:
    actions = Actions(hooks=[tracing(tracer_provider=NoOpTracerProvider())])
    run = record(context=b'{"state":{},"request":{"headers":{}}}')

    assert actions.app.watch.carrying(run) == {}


def test_without_the_api_tracing_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "yieldwire.integrations.opentelemetry.trace")
    monkeypatch.setitem(sys.modules, "opentelemetry.context", None)

    watch = Watch([tracing()])

    assert watch.attempt_started is Watch().attempt_started
