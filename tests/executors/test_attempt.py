"""One attempt: from its claim to its one end, whatever the action does."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextvars import ContextVar
from io import BytesIO
from typing import Annotated, Any

import pytest

from tests.support.runs import SOON, Outcome, call, first_chunk, opened, outcome
from yieldwire.actions.context import Context
from yieldwire.actions.resource import Resource, Use
from yieldwire.actions.stream import Stream, StreamableValue
from yieldwire.actions.upload import Upload
from yieldwire.app import App
from yieldwire.errors import ActionError, Unauthorized
from yieldwire.executors import RunLimits
from yieldwire.log.chunks import Progress, Result, Text


@pytest.fixture
async def app() -> AsyncIterator[App]:
    async with opened(App(run_limits=RunLimits(cancel_within=SOON))) as app:
        yield app


# The shapes.


async def as_async_generator(n: int) -> AsyncIterator[int | Result[str]]:
    for k in range(n):
        yield k
    yield Result("end")


def as_generator(n: int) -> Iterator[int | Result[str]]:
    yield from range(n)
    yield Result("end")


async def as_stream(n: int, stream: Stream[int]) -> str:
    for k in range(n):
        await stream.send(k)
    return "end"


async def as_value(n: int, value: StreamableValue[Any]) -> None:
    for k in range(n):
        value.update(k)
    value.done("end")


async def as_async_function(n: int) -> str:
    return "end"


def as_function(n: int) -> str:
    return "end"


def replaced(value: object) -> dict[str, object]:
    return {"type": "value", "value": value}


@pytest.mark.parametrize(
    ("function", "chunks"),
    [
        (as_async_generator, [0, 1, 2]),
        (as_generator, [0, 1, 2]),
        (as_stream, [0, 1, 2]),
        (as_value, [replaced(0), replaced(1), replaced(2), replaced("end")]),
        (as_async_function, []),
        (as_function, []),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_every_shape_is_the_same_run(
    app: App, function: Callable[..., Any], chunks: list[object]
) -> None:
    heard = await call(app, function, n=3)

    assert heard.chunks == chunks
    assert heard.end == ("done", {"result": "end"})
    assert [event.seq for event in heard.events] == [*range(1, len(chunks) + 2)]


async def nothing_at_all() -> AsyncIterator[Text]:
    for text in list[Text]():
        yield text


async def no_answer() -> None: ...


@pytest.mark.parametrize("function", [nothing_at_all, no_answer])
async def test_a_run_without_a_result_ends_with_an_empty_object(
    app: App, function: Callable[..., Any]
) -> None:
    assert (await call(app, function)).end == ("done", {})


async def test_a_generator_can_return_its_result(app: App) -> None:
    def count() -> Any:  # noqa: ANN401 - a generator without annotations
        yield 1
        return {"n": 1}

    assert (await call(app, count)).end == ("done", {"result": {"n": 1}})


async def unannotated():  # type: ignore[no-untyped-def] # noqa: ANN201 - the point
    yield Progress(1, total=2)
    yield Result({"n": 1})


@pytest.mark.parametrize("checks", [True, False])
async def test_a_function_without_annotations_is_an_action_too(app: App, checks: bool) -> None:  # noqa: FBT001
    app.checks_chunks = checks

    heard = await call(app, unannotated)

    assert heard.chunks[0]["percent"] == 50.0
    assert heard.end == ("done", {"result": {"n": 1}})


# The result is the last word.


async def test_a_result_is_held_until_the_generator_has_cleaned_up(app: App) -> None:
    steps: list[str] = []

    async def act() -> AsyncIterator[Text | Result[int]]:
        try:
            yield Text("a")
            yield Result(1)
            await asyncio.sleep(0)
            steps.append("after the result")
        finally:
            await asyncio.sleep(0)
            steps.append("cleaned up")

    heard = await call(app, act)

    assert heard.end == ("done", {"result": 1})
    assert steps == ["after the result", "cleaned up"]


async def test_an_error_after_the_result_fails_the_run(app: App) -> None:
    async def act() -> AsyncIterator[Result[int]]:
        yield Result(1)
        raise ActionError("TOO_LATE", "It broke after all.")

    assert (await call(app, act)).code == "TOO_LATE"


async def talks_on() -> AsyncIterator[int | Result[int]]:
    yield Result(1)
    yield 2


def talks_on_blocking() -> Iterator[int | Result[int]]:
    yield Result(1)
    yield 2


async def says_two_results() -> AsyncIterator[Result[int]]:
    yield Result(1)
    yield Result(2)


@pytest.mark.parametrize("function", [talks_on, talks_on_blocking, says_two_results])
async def test_a_yield_after_the_result_fails_the_run(
    app: App, function: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    heard = await call(app, function)

    assert (heard.code, heard.chunks) == ("INTERNAL_ERROR", [])
    assert "A Result is the last value" in caplog.text


# Errors.


async def test_an_actions_own_error_reaches_the_caller_whole(app: App) -> None:
    async def act() -> AsyncIterator[Text]:
        yield Text("a")
        raise ActionError("OUT_OF_CREDIT", "No credit.", status=402, retryable=True, data={"n": 1})

    heard = await call(app, act)

    kind, error = heard.end
    assert kind == "error"
    assert (error["code"], error["message"], error["statusCode"]) == (
        "OUT_OF_CREDIT",
        "No credit.",
        402,
    )
    assert (error["retryable"], error["data"]) == (True, {"n": 1})
    assert error["runId"].startswith("r")
    assert len(heard.chunks) == 1


async def test_a_declared_error_keeps_its_code(app: App) -> None:
    async def act() -> None:
        raise Unauthorized

    assert (await call(app, act)).code == "UNAUTHORIZED"


def secret_in_a_thread() -> Iterator[int]:
    yield 1
    raise RuntimeError("password=hunter2")


async def secret() -> AsyncIterator[int]:
    yield 1
    raise RuntimeError("password=hunter2")


@pytest.mark.parametrize("function", [secret, secret_in_a_thread])
async def test_an_unexpected_error_reaches_the_caller_as_an_id_that_the_log_has(
    app: App, function: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    heard = await call(app, function)

    kind, error = heard.end
    assert (kind, error["code"], error["statusCode"]) == ("error", "INTERNAL_ERROR", 500)
    assert b"hunter2" not in heard.events[-1].data
    assert b"RuntimeError" not in heard.events[-1].data
    assert "hunter2" in caplog.text
    logged = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [error["errorId"] in record.getMessage() for record in logged] == [True]
    assert logged[0].exc_info is not None


async def test_a_chunk_that_has_no_json_fails_the_run(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    async def act() -> AsyncIterator[Any]:
        yield object()

    assert (await call(app, act)).code == "INTERNAL_ERROR"
    assert "run failed: act" in caplog.text


async def wrong_chunk() -> AsyncIterator[Text]:
    yield "not a Text"  # type: ignore[misc]


@pytest.mark.parametrize(("checks", "code"), [(True, "INTERNAL_ERROR"), (False, None)])
async def test_what_is_yielded_is_checked_where_that_is_asked_for(
    app: App,
    checks: bool,  # noqa: FBT001 - a row of the table
    code: str | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    app.checks_chunks = checks

    assert (await call(app, wrong_chunk)).code == code


async def wrong_result() -> int:
    return "three"  # type: ignore[return-value]


async def wrong_last_word() -> AsyncIterator[Text | Result[int]]:
    yield Text("a")
    yield Result("three")  # type: ignore[arg-type]


def wrong_return() -> Generator[Text, None, int]:
    yield Text("a")
    return "three"  # type: ignore[return-value]


async def wrong_value(value: StreamableValue[int]) -> None:
    value.update("three")  # type: ignore[arg-type]


@pytest.mark.parametrize("function", [wrong_result, wrong_last_word, wrong_return, wrong_value])
async def test_a_result_is_always_checked_against_its_declared_type(
    app: App, function: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    heard = await call(app, function)

    assert heard.code == "INTERNAL_ERROR"
    assert "Input should be a valid integer" in caplog.text


async def fits_when_read() -> int:
    return "3"  # type: ignore[return-value]


async def test_a_result_is_sent_as_its_declared_type_reads_it(app: App) -> None:
    assert (await call(app, fits_when_read)).end == ("done", {"result": 3})


async def never_set(value: StreamableValue[int]) -> None: ...


async def test_a_value_that_is_never_set_has_no_result(app: App) -> None:
    assert (await call(app, never_set)).end == ("done", {"result": None})


async def test_an_application_can_check_chunks_in_production() -> None:
    async with opened(App(checks_chunks=True)) as app:
        assert (await call(app, wrong_chunk)).code == "INTERNAL_ERROR"


async def test_a_cancellation_that_nobody_asked_for_is_an_error(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    async def act() -> AsyncIterator[int]:
        yield 1
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    heard = await call(app, act)

    assert (heard.chunks, heard.code) == ([1], "INTERNAL_ERROR")


# Stopping.


async def cancelled(app: App, function: Callable[..., Any]) -> Outcome:
    """Cancel an action after its first chunk."""
    run = await app.start(app.action(function))
    await first_chunk(run)
    await run.cancel()
    return await outcome(run)


async def test_a_cancel_lets_an_awaited_cleanup_finish(app: App) -> None:
    steps: list[str] = []

    async def act() -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            for _ in range(5):
                await asyncio.sleep(0)
            steps.append("cleaned up")

    heard = await cancelled(app, act)

    assert heard.end[0] == "cancelled"
    assert (heard.code, heard.end[1]["data"]) == ("CANCELLED", {"reason": "requested"})
    assert heard.chunks == [1]
    assert steps == ["cleaned up"]


async def test_a_cancel_runs_the_cleanup_of_blocking_code_in_its_thread(app: App) -> None:
    steps: list[str] = []

    def act() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            steps.append("cleaned up")

    heard = await cancelled(app, act)

    assert heard.code == "CANCELLED"
    assert steps == ["cleaned up"]


async def test_a_stream_and_its_helpers_are_cancelled_together(app: App) -> None:
    steps: list[str] = []

    async def act(stream: Stream[int], ctx: Context) -> None:
        async def helper() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                steps.append("helper cleaned up")

        ctx.spawn(helper())
        try:
            await stream.send(1)
            await asyncio.Event().wait()
        finally:
            steps.append("action cleaned up")

    heard = await cancelled(app, act)

    assert heard.code == "CANCELLED"
    assert sorted(steps) == ["action cleaned up", "helper cleaned up"]


async def test_a_cleanup_that_takes_too_long_does_not_hold_back_the_end() -> None:
    may_end, tried = asyncio.Event(), asyncio.Event()

    async def act(stream: Stream[str]) -> None:
        try:
            await stream.send("before")
            await asyncio.Event().wait()
        finally:
            await may_end.wait()
            tried.set()
            await stream.send("after the end")

    async with opened(App(run_limits=RunLimits(cancel_within=0.05))) as app:
        run = await app.start(app.action(act))
        await first_chunk(run)
        await run.cancel()
        heard = await outcome(run)
        may_end.set()
        async with asyncio.timeout(SOON):
            await tried.wait()
        await asyncio.sleep(0)

        assert heard.code == "CANCELLED"
        assert (await outcome(run)).events == heard.events
        assert heard.chunks == ["before"]


async def test_a_generator_that_swallows_the_cancellation_is_stopped_at_its_next_yield(
    app: App,
) -> None:
    async def act() -> AsyncIterator[int]:
        n = 0
        while True:
            n += 1
            try:
                yield n
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                continue

    heard = await cancelled(app, act)

    assert heard.code == "CANCELLED"
    assert heard.chunks in ([1], [1, 2])


async def test_a_generator_that_never_awaits_lets_others_run_and_can_be_stopped(app: App) -> None:
    turns = 0

    async def act() -> AsyncIterator[int]:
        n = 0
        while True:
            yield n
            n += 1

    async def other() -> None:
        nonlocal turns
        for _ in range(20):
            turns += 1
            await asyncio.sleep(0)

    run = await app.start(app.action(act))
    await first_chunk(run)
    async with asyncio.timeout(SOON):
        await other()
    await run.cancel()

    assert turns == 20
    assert (await outcome(run)).code == "CANCELLED"


async def test_a_stream_that_never_awaits_anything_else_can_be_stopped(app: App) -> None:
    async def act(stream: Stream[int]) -> None:
        while True:
            await stream.send(1)

    assert (await cancelled(app, act)).code == "CANCELLED"


async def test_an_action_can_finish_before_it_hears_the_cancel(app: App) -> None:
    async def act(stream: Stream[int]) -> int:
        try:
            await stream.send(1)
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return 2
        return 3

    heard = await cancelled(app, act)

    assert heard.end == ("done", {"result": 2})


async def test_a_cleanup_that_fails_after_a_cancel_fails_the_run(app: App) -> None:
    async def act() -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            raise ActionError("HALF_DONE", "The cleanup failed.")

    assert (await cancelled(app, act)).code == "HALF_DONE"


async def test_a_second_cancel_does_not_interrupt_the_cleanup(app: App) -> None:
    cleaning, may_end, steps = asyncio.Event(), asyncio.Event(), list[str]()

    async def act() -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            cleaning.set()
            await may_end.wait()
            steps.append("cleaned up")

    run = await app.start(app.action(act))
    await first_chunk(run)
    await run.cancel()
    async with asyncio.timeout(SOON):
        await cleaning.wait()
    await run.cancel()
    await asyncio.sleep(0)
    may_end.set()

    assert (await outcome(run)).code == "CANCELLED"
    assert steps == ["cleaned up"]


def is_blocking_for_ever() -> Iterator[int]:
    while True:
        yield 1


async def awaits_for_ever() -> AsyncIterator[int]:
    yield 1
    await asyncio.Event().wait()


@pytest.mark.parametrize("function", [awaits_for_ever, is_blocking_for_ever])
async def test_a_run_that_outlives_its_limit_fails_with_timeout(
    app: App, function: Callable[..., Any]
) -> None:
    heard = await call(app, app.action(timeout=0.05)(function))

    kind, error = heard.end
    assert (kind, error["code"], error["statusCode"]) == ("error", "TIMEOUT", 504)
    assert (await app.snapshot(error["runId"]))["status"] == "failed"


async def test_a_run_that_ends_in_time_has_no_timeout(app: App) -> None:
    heard = await call(app, app.action(timeout=SOON)(as_async_generator), n=1)

    assert heard.end == ("done", {"result": "end"})


# Limits.


@pytest.mark.parametrize(
    "limits",
    [RunLimits(max_events=10), RunLimits(max_bytes=1000), RunLimits(max_event_bytes=20)],
    ids=["events", "bytes", "event bytes"],
)
@pytest.mark.parametrize("blocking", [False, True])
async def test_a_run_over_its_limit_fails_and_no_other_does(
    limits: RunLimits,
    blocking: bool,  # noqa: FBT001
) -> None:
    async def act(size: int) -> AsyncIterator[str]:
        for _ in range(100):
            yield "x" * size
            await asyncio.sleep(0)

    def act_blocking(size: int) -> Iterator[str]:
        for _ in range(100):
            yield "x" * size

    async with opened(App(run_limits=limits)) as app:
        heard = await call(app, act_blocking if blocking else act, size=30)
        other = await call(app, as_async_generator, n=3)

    assert heard.code == "LIMIT_EXCEEDED"
    assert len(heard.events) <= 20
    assert other.end == ("done", {"result": "end"})


async def test_a_limit_cannot_be_swallowed() -> None:
    async def act() -> AsyncIterator[str]:
        for _ in range(20):
            yield "x"
            try:
                await asyncio.sleep(0)
            except Exception:  # noqa: BLE001, S112 - the point
                continue

    async with opened(App(run_limits=RunLimits(max_events=10))) as app:
        heard = await call(app, act)

    assert heard.code == "LIMIT_EXCEEDED"


async def test_a_feed_that_trims_its_log_has_no_limit_of_events() -> None:
    async def ticks() -> AsyncIterator[int]:
        for n in range(50):
            yield n
            await asyncio.sleep(0)

    async with opened(App(run_limits=RunLimits(max_events=10))) as app:
        run = await app.start(app.feed(keep=5)(ticks))
        async with asyncio.timeout(SOON):
            await run.result()
        snapshot = await run.snapshot()

    assert (snapshot["status"], snapshot["seq"]) == ("completed", 51)


# What an action can ask for.


async def test_a_context_knows_its_run(app: App) -> None:
    async def mark(ctx: Context) -> None:
        ctx.state["budget"] = 3
        ctx.labels.append("late")

    async def act(ctx: Context, context: Context) -> dict[str, Any]:
        assert ctx is context
        return {
            "run": ctx.run_id,
            "action": ctx.action,
            "owner": ctx.owner,
            "attempt": ctx.attempt,
            "state": ctx.state,
            "labels": ctx.labels,
            "method": ctx.request.method,
        }

    action = app.action(guards=[mark], labels=("early",))(act)
    run = await app.start(action, {}, owner="ada")

    async with asyncio.timeout(SOON):
        result = await run.result()
    assert result == {
        "run": run.id,
        "action": "act",
        "owner": "ada",
        "attempt": 1,
        "state": {"budget": 3},
        "labels": ["early", "late"],
        "method": "PYTHON",
    }


async def test_a_run_ends_when_its_helpers_have(app: App) -> None:
    steps: list[str] = []

    async def act(stream: Stream[str], ctx: Context) -> None:
        async def helper() -> None:
            await stream.send("helper")
            for _ in range(3):
                await asyncio.sleep(0)
            steps.append("helper ends")

        ctx.spawn(helper())
        await stream.send("action")
        await asyncio.sleep(0)
        steps.append("action ends")

    heard = await call(app, act)

    assert heard.chunks == ["action", "helper"]
    assert heard.end == ("done", {})
    assert steps == ["action ends", "helper ends"]


async def test_returning_closes_the_stream_for_helpers_too(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    async def act(stream: Stream[str], ctx: Context) -> None:
        returned = asyncio.Event()

        async def helper() -> None:
            await returned.wait()
            await stream.send("late")

        ctx.spawn(helper())
        await asyncio.sleep(0)
        returned.set()

    heard = await call(app, act)

    assert (heard.chunks, heard.code) == ([], "INTERNAL_ERROR")
    assert "The stream is closed" in caplog.text


async def test_a_helper_that_fails_fails_the_run(app: App) -> None:
    async def act(stream: Stream[str], ctx: Context) -> None:
        async def helper() -> None:
            raise ActionError("HELPER", "The helper failed.")

        ctx.spawn(helper())
        await asyncio.Event().wait()

    assert (await call(app, act)).code == "HELPER"


async def test_a_helpers_result_can_be_awaited(app: App) -> None:
    async def act(ctx: Context) -> int:
        async def helper() -> int:
            await asyncio.sleep(0)
            return 3

        return await ctx.spawn(helper())

    assert (await call(app, act)).end == ("done", {"result": 3})


async def test_a_helper_can_be_cancelled_before_it_starts(app: App) -> None:
    async def act(ctx: Context) -> bool:
        async def helper() -> None: ...

        task = ctx.spawn(helper())
        task.cancel()
        await asyncio.wait({task})
        return task.cancelled()

    assert (await call(app, act)).end == ("done", {"result": True})


async def test_blocking_code_has_no_helpers(app: App, caplog: pytest.LogCaptureFixture) -> None:
    def act(ctx: Context) -> Iterator[int]:
        async def helper() -> None: ...

        ctx.spawn(helper())
        yield 1

    assert (await call(app, act)).code == "INTERNAL_ERROR"
    assert "blocking actions have no helpers" in caplog.text


@pytest.mark.parametrize("shape", ["async generator", "function", "stream"])
async def test_an_action_takes_what_a_resource_opened_as_a_parameter(shape: str) -> None:
    app = App()

    @app.registry.resource
    async def pool() -> AsyncIterator[list[str]]:
        yield ["the pool"]

    async def stream_it(
        stream: Stream[str], pool: Annotated[list[str], Use(pool)], times: int = 1
    ) -> None:
        await stream.send(pool[0] * times)

    async def yield_it(pool: Annotated[list[str], Use(pool)], times: int = 1) -> AsyncIterator[str]:
        yield pool[0] * times

    def return_it(ctx: Context, pool: Annotated[list[str], Use(pool)], times: int = 1) -> list[str]:
        return pool * times

    functions: dict[str, Any] = {
        "async generator": yield_it,
        "function": return_it,
        "stream": stream_it,
    }
    action = app.action(functions[shape])

    async with opened(app):
        heard = await outcome(await app.start(action, {"times": 2}))

    assert list(action.input_schema["properties"]) == ["times"]
    assert heard.end == ("done", {"result": ["the pool"] * 2} if shape == "function" else {})
    assert heard.chunks == ([] if shape == "function" else ["the poolthe pool"])


async def test_guards_and_middleware_take_what_a_resource_opened() -> None:
    seen: list[str] = []

    async def open_pool() -> AsyncIterator[str]:
        yield "the pool"

    pool = Resource(open_pool)

    async def guard(ctx: Context, rows: Annotated[str, Use(pool)]) -> None:
        seen.append(f"guard with {rows}")

    async def wrap(ctx: Context, rows: Annotated[str, Use(pool)]) -> AsyncIterator[None]:
        seen.append(f"middleware with {rows}")
        yield

    async def act() -> str:
        return "42"

    app = App(guards=[guard], middleware=[wrap])
    app.registry.resources.append(pool)
    async with opened(app):
        heard = await call(app, app.action(guards=[guard], middleware=[wrap])(act))

    assert seen == ["guard with the pool"] * 2 + ["middleware with the pool"] * 2
    assert heard.end == ("done", {"result": "42"})


async def test_another_applications_resource_is_not_found(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    @App().registry.resource
    async def pool() -> AsyncIterator[str]:
        yield "another's"

    async def act(rows: Annotated[str, Use(pool)]) -> str:
        return rows

    assert (await call(app, act)).code == "INTERNAL_ERROR"
    assert "The resource 'pool' is not one of this application's" in caplog.text


SPAN: ContextVar[str] = ContextVar("SPAN", default="none")


def ring(name: str, steps: list[str]) -> Callable[[Context], AsyncIterator[None]]:
    async def wrap(ctx: Context) -> AsyncIterator[None]:
        steps.append(f"{name} begins {ctx.attempt}")
        token = SPAN.set(name)
        try:
            yield
        except BaseException as exc:
            steps.append(f"{name} sees {type(exc).__name__}")
            raise
        else:
            steps.append(f"{name} ends")
        finally:
            SPAN.reset(token)

    return wrap


@pytest.mark.parametrize("blocking", [False, True])
async def test_middleware_wraps_the_attempt_in_its_own_task(blocking: bool) -> None:  # noqa: FBT001
    steps: list[str] = []
    app = App(middleware=[ring("app", steps)])

    async def act() -> AsyncIterator[str]:
        yield SPAN.get()

    def act_blocking() -> Iterator[str]:
        yield SPAN.get()

    async with opened(app):
        action = app.action(middleware=[ring("action", steps)])(act_blocking if blocking else act)
        heard = await call(app, action)

    assert heard.chunks == ["action"]
    assert steps == ["app begins 1", "action begins 1", "action ends", "app ends"]


async def test_an_around_sees_why_an_attempt_failed() -> None:
    steps: list[str] = []
    app = App(middleware=[ring("app", steps)])

    async def act() -> None:
        raise ActionError("NO", "No.")

    async with opened(app):
        assert (await call(app, act)).code == "NO"
        assert (await cancelled(app, awaits_for_ever)).code == "CANCELLED"

    assert steps[1::2] == ["app sees ActionError", "app sees CancelledError"]


async def test_an_around_that_fails_fails_the_run() -> None:
    async def broken(ctx: Context) -> AsyncIterator[None]:
        yield
        raise ActionError("NOT_COMMITTED", "The commit failed.")

    async with opened(App(middleware=[broken])) as app:
        heard = await call(app, as_async_generator, n=2)

    assert (heard.chunks, heard.code) == ([0, 1], "NOT_COMMITTED")


# Uploads.


async def reads(file: Upload, files: list[Upload]) -> AsyncIterator[int]:
    yield file.size


async def fails(file: Upload, files: list[Upload]) -> AsyncIterator[int]:
    yield file.size
    raise ActionError("NO", "No.")


async def hangs(file: Upload, files: list[Upload]) -> AsyncIterator[int]:
    yield file.size
    await asyncio.Event().wait()


def blocks(file: Upload, files: list[Upload]) -> Iterator[int]:
    while True:
        yield file.size


@pytest.mark.parametrize("function", [reads, fails, hangs, blocks])
async def test_uploads_are_open_until_the_end_and_closed_then(
    app: App, function: Callable[..., Any]
) -> None:
    uploads = [Upload(BytesIO(b"abc")) for _ in range(3)]
    run = await app.start(app.action(function), {"file": uploads[0], "files": uploads[1:]})

    assert await first_chunk(run) == 3
    await run.cancel()
    await outcome(run)
    await app.close()

    assert [upload.file.closed for upload in uploads] == [True] * 3
