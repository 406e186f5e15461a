"""What an action asks and receives, and what its log says of that."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import suppress
from io import BytesIO
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, BaseModel

from tests.support.runs import SOON, first_chunk, opened, outcome
from tests.support.virtual import VirtualLoop, run_virtually
from yieldwire import Context, Result, Retry, Upload
from yieldwire.actions.action import Action
from yieldwire.actions.context import RequestFacts
from yieldwire.actions.run import Run
from yieldwire.app import App
from yieldwire.clock import Timing
from yieldwire.errors import (
    AnswerTimedOut,
    Json,
    LimitExceeded,
    RunEnded,
    UsageError,
    ValidationFailed,
)
from yieldwire.executors import RunLimits
from yieldwire.hooks import Hooks
from yieldwire.log.events import Event, EventType
from yieldwire.log.message import Message
from yieldwire.log.run import RunRecord
from yieldwire.log.snapshot import iso_time
from yieldwire.runs.access import Caller
from yieldwire.runs.start import StartRequest

QUIET = Timing(sweep_every=3600.0, grace=0.1)


class Decision(BaseModel):
    approved: bool
    note: str = ""


class Wish(BaseModel):
    text: str


class Flaky(Exception):
    """After this the action is tried again."""


AGAIN = Retry(3, backoff=0.0, on=(Flaky,))


@pytest.fixture
async def app() -> AsyncIterator[App]:
    async with opened(App(timing=QUIET)) as app:
        yield app


def in_virtual_time(story: Callable[[App], Coroutine[Any, Any, None]]) -> None:
    """Run a story with an application on a clock that passes only while everybody waits."""

    async def whole() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        async with opened(App(clock=loop.clock, timing=Timing(sweep_every=1.0, grace=0.1))) as app:
            await story(app)

    run_virtually(whole())


async def asked(run: Run[Any], count: int = 1) -> list[Json]:
    """Return the questions of a run when it has asked ``count``, and they are open."""
    async with asyncio.timeout(SOON):
        async for event in run.events():
            if event.type is EventType.QUESTION:
                count -= 1
            if not count:
                return await run.questions()
    raise AssertionError("the run ended without a question")


def told(events: list[Event]) -> list[tuple[str, Json]]:
    """Return what the events say, without the schemas of questions."""
    values = [(event.type.value, event.value) for event in events]
    for _, value in values:
        if isinstance(value, dict):
            value.pop("schema", None)
    return values


# Asking.


async def test_a_question_and_its_answer_are_in_the_log_where_they_happened(app: App) -> None:
    @app.action(asks=Decision)
    async def publish(ctx: Context) -> AsyncIterator[str]:
        yield "draft"
        decision = await ctx.ask(Decision, "Publish this?", detail={"words": 3})
        yield f"approved: {decision.approved}, {decision.note}"

    run = await app.start(publish)
    questions = await asked(run)
    await run.answer("1", {"approved": True, "note": "fine"}, by="ada")
    log = (await outcome(run)).events

    assert questions[0]["schema"] == Decision.model_json_schema()
    assert told(log) == [
        ("chunk", "draft"),
        (
            "question",
            {"id": "1", "prompt": "Publish this?", "name": "Decision", "detail": {"words": 3}},
        ),
        ("answer", {"id": "1", "value": {"approved": True, "note": "fine"}, "by": "ada"}),
        ("chunk", "approved: True, fine"),
        ("done", {}),
    ]


async def test_questions_are_numbered_in_the_order_of_asking_unless_they_have_an_id(
    app: App,
) -> None:
    @app.action(asks=(bool, int))
    async def ask(ctx: Context) -> list[Any]:
        calls = [
            ctx.ask(bool, "First?"),
            ctx.ask(int, "How many?", id="count"),
            ctx.ask(bool, "Second?"),
        ]
        return await asyncio.gather(*reversed(calls))

    run = await app.start(ask)
    questions = {each["prompt"]: each["id"] for each in await asked(run, 3)}
    for question, value in (("count", 7), ("2", False), ("1", True)):
        await run.answer(question, value)

    assert questions == {"First?": "1", "How many?": "count", "Second?": "2"}
    assert await run.result() == [False, 7, True]


def test_the_run_needs_no_reader_while_a_question_is_open() -> None:
    async def story(app: App) -> None:
        @app.action(asks=bool, linger=5.0)
        async def ask(ctx: Context) -> AsyncIterator[str]:
            yield "x"
            await ctx.ask(bool, "Continue?")
            await asyncio.Event().wait()

        run = await attached(app, ask)
        await asyncio.sleep(1_000)
        before = await run.snapshot()
        await run.answer("1", value=True)
        begun = app.clock.now()
        while not (await app.store.get(run.id)).status.is_terminal:  # noqa: ASYNC110 - a reader counts
            await asyncio.sleep(0.1)
        ended = app.clock.now()

        assert (before["status"], len(before["questions"])) == ("running", 1)
        assert (await run.snapshot())["error"]["data"] == {"reason": "unattended"}
        assert 5 <= ended - begun <= 8

    in_virtual_time(story)


async def attached(app: App, action: Action[..., Any, Any]) -> Run[Any]:
    """Start a run that needs readers, and has none."""
    request = StartRequest(action=action, caller=Caller(), facts=RequestFacts(), data={})
    record = await app.begin(request)
    return Run(app, record, action)


@pytest.mark.parametrize("has_default", [True, False])
def test_a_question_that_nobody_answers_in_time_has_its_default_or_raises(
    has_default: bool,  # noqa: FBT001 - of the parameters
) -> None:
    async def story(app: App) -> None:
        @app.action(asks=Decision)
        async def ask(ctx: Context) -> AsyncIterator[str]:
            default = {"default": Decision(approved=False)} if has_default else {}
            try:
                decision = await ctx.ask(Decision, "Publish?", timeout=20.0, **default)  # type: ignore[call-overload]
                yield f"default {decision.approved}"
            except AnswerTimedOut as late:
                yield f"{late}: {late.data}"

        begun = app.clock.now()
        run = await app.start(ask)
        (question,) = await asked(run)
        log = told((await outcome(run)).events)

        value = {"value": {"approved": False, "note": ""}, "by": None} if has_default else {}
        said = (
            "default False"
            if has_default
            else "Nobody answered in time: Publish?: {'question': '1'}"
        )
        assert 20 <= app.clock.now() - begun < 21
        assert question["expiresAt"] == iso_time(begun + 20)
        assert log[1:] == [
            ("answer", {"id": "1", **value, "timedOut": True}),
            ("chunk", said),
            ("done", {}),
        ]
        with pytest.raises(RunEnded, match="ended"):
            await run.answer("1", {"approved": True})

    in_virtual_time(story)


def test_an_answer_that_the_store_accepts_before_the_timeout_counts() -> None:
    async def story(app: App) -> None:
        @app.action(asks=bool)
        async def ask(ctx: Context) -> bool:
            return await ctx.ask(bool, "Continue?", timeout=60.0, default=False)

        run = await app.start(ask)
        await asked(run)
        await asyncio.sleep(59.9)
        await run.answer("1", value=True)

        assert await run.result() is True

    in_virtual_time(story)


async def test_a_timeout_that_the_action_does_not_catch_is_the_runs_error(app: App) -> None:
    @app.action(asks=bool)
    async def ask(ctx: Context) -> bool:
        return await ctx.ask(bool, "Continue?", timeout=0.001)

    ended = await outcome(await app.start(ask))

    assert ended.code == "ANSWER_TIMEOUT"
    assert ended.end[1]["message"] == "Nobody answered in time: Continue?"


async def test_a_run_can_be_cancelled_while_it_waits_for_an_answer(app: App) -> None:
    @app.action(asks=bool)
    async def ask(ctx: Context) -> AsyncIterator[str]:
        try:
            await ctx.ask(bool, "Continue?")
        finally:
            yield "cleaned up"

    run = await app.start(ask)
    await asked(run)
    await run.cancel()
    ended = await outcome(run)

    assert ended.end[0] == "cancelled"
    assert await run.questions() == []


async def test_a_question_whose_wait_was_cut_off_can_be_asked_again_with_its_id(app: App) -> None:
    @app.action(asks=bool)
    async def ask(ctx: Context) -> AsyncIterator[str]:
        with suppress(TimeoutError):
            async with asyncio.timeout(0.001):
                await ctx.ask(bool, "Continue?", id="go")
        yield "reminder"
        yield str(await ctx.ask(bool, "Continue?", id="go"))

    run = await app.start(ask)
    await first_chunk(run)
    await run.answer("go", value=True)
    log = [kind for kind, _ in told((await outcome(run)).events)]

    assert log == ["question", "chunk", "answer", "chunk", "done"]


async def test_the_same_id_is_not_asked_twice(app: App) -> None:
    @app.action(asks=bool)
    async def ask(ctx: Context) -> None:
        ctx.spawn(ctx.ask(bool, "a", id="x"))
        await asyncio.sleep(0)
        await ctx.ask(bool, "b", id="x")

    with pytest.raises(UsageError, match="The question 'x' was asked before"):
        await ask_directly(app, ask)


async def ask_directly(app: App, action: Action[..., Any, Any]) -> None:
    """Run an action whose mistake is the developer's, and raise that."""
    failures = list[BaseException]()

    async def note(ctx: Context) -> AsyncIterator[None]:
        try:
            yield
        except BaseException as exc:
            failures.append(exc)
            raise

    other = App(timing=QUIET, middleware=[note])
    other.registry.register(action)
    async with opened(other):
        await outcome(await other.start(action))
    raise failures[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": int, "prompt": "How many?"}, r"asks for int, .*asks=int"),
        ({"kind": bool, "prompt": " "}, "is not a prompt"),
        ({"kind": bool, "prompt": "x", "id": "a/b"}, "is not an id"),
        ({"kind": bool, "prompt": "x", "timeout": -1}, "timeout=-1 is not a number of seconds"),
        ({"kind": bool, "prompt": "x", "default": True}, "give both"),
        (
            {"kind": bool, "prompt": "x", "default": "?", "timeout": 1},
            "default= does not match bool",
        ),
        ({"kind": bool, "prompt": "x", "detail": {1, 2}}, "detail is a set"),
    ],
)
async def test_a_mistake_in_asking_is_told_with_its_cure(
    app: App, arguments: dict[str, Any], message: str
) -> None:
    @app.action(asks=bool)
    async def ask(ctx: Context) -> None:
        given = dict(arguments)
        await ctx.ask(given.pop("kind"), given.pop("prompt"), **given)

    with pytest.raises(UsageError, match=message):
        await ask_directly(app, ask)


async def test_what_an_action_declares_is_needed_to_receive(app: App) -> None:
    @app.action(inbox=Wish)
    async def receive(ctx: Context) -> None:
        await ctx.receive(Decision)

    with pytest.raises(UsageError, match=r"receives Decision, .*inbox=Decision"):
        await ask_directly(app, receive)


async def test_a_question_that_is_too_large_ends_nothing_but_the_asking(app: App) -> None:
    @app.action(asks=bool)
    async def ask(ctx: Context) -> str:
        try:
            await ctx.ask(bool, "Continue?", detail="x" * 2_000)
        except LimitExceeded as exc:
            return str(exc)
        return ""

    async with opened(App(run_limits=RunLimits(max_event_bytes=1_000))) as small:
        small.registry.register(ask)
        result = await (await small.start(ask)).result()

    assert "over the limit of 1000" in result


# Receiving.


async def test_messages_are_received_in_the_order_of_acceptance(app: App) -> None:
    @app.action(inbox=Wish, asks=bool)
    async def follow(ctx: Context) -> AsyncIterator[str]:
        yield "ready"
        async for wish in ctx.inbox(Wish):
            yield wish.text
            if wish.text == "stop":
                return

    run = await app.start(follow)
    await first_chunk(run)
    for text in ("a", "b", "stop"):
        await run.send({"text": text})

    assert (await outcome(run)).chunks == ["ready", "a", "b", "stop"]


def test_a_message_that_does_not_come_in_time_is_none() -> None:
    async def story(app: App) -> None:
        @app.action(inbox=Wish)
        async def follow(ctx: Context) -> list[str | None]:
            found = [await ctx.receive(Wish, timeout=timeout) for timeout in (0, 30)]
            await asyncio.sleep(60)
            found += [await ctx.receive(Wish, timeout=0) for _ in range(3)]
            return [None if wish is None else wish.text for wish in found]

        run = await app.start(follow)
        await asyncio.sleep(45)
        await run.send(Wish(text="a"))
        await run.send(Wish(text="b"))

        assert await run.result() == [None, None, "a", "b", None]
        assert app.clock.now() - (await app.store.get(run.id)).created_at < 91

    in_virtual_time(story)


async def test_a_helper_receives_until_the_action_ends(app: App) -> None:
    @app.action(inbox=Wish)
    async def work(ctx: Context) -> AsyncIterator[str | Result[list[str]]]:
        wishes = list[str]()

        async def listen() -> None:
            wishes.extend([wish.text async for wish in ctx.inbox(Wish)])
            wishes.append("over" if await ctx.receive(Wish) is None else "")

        ctx.spawn(listen())
        yield "ready"
        await go.wait()
        yield Result(wishes)

    go = asyncio.Event()
    run = await app.start(work)
    await first_chunk(run)
    await run.send({"text": "a"})
    go.set()

    assert (await outcome(run)).end[0] == "done"


async def test_a_message_that_no_longer_matches_is_ignored_and_logged(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    @app.action(inbox=Wish)
    async def follow(ctx: Context) -> str:
        await go.wait()
        wish = await ctx.receive(Wish)
        assert wish is not None
        return wish.text

    go = asyncio.Event()
    run = await app.start(follow)
    for data in (b"3", b'{"text":"a"}'):
        await app.store.send(run.id, Message(0, data), most=9, most_bytes=999)
    go.set()

    assert await run.result() == "a"
    assert "a message is ignored" in caplog.text


# Blocking actions.


async def test_a_blocking_action_asks_and_receives_in_its_own_thread(app: App) -> None:
    @app.action(asks=bool, inbox=Wish)
    def work(ctx: Context) -> Iterator[str]:
        yield "before"
        answer = ctx.blocking.ask(bool, "Continue?")
        yield f"answer {answer}"
        wish = ctx.blocking.receive(Wish, timeout=SOON)
        yield wish.text if wish else ""
        for wish in ctx.blocking.inbox(Wish):
            yield wish.text
            break

    run = await app.start(work)
    await asked(run)
    await run.answer("1", value=True)
    for text in ("a", "b"):
        await run.send({"text": text})
    log = told((await outcome(run)).events)

    assert [value for kind, value in log if kind == "chunk"] == ["before", "answer True", "a", "b"]
    assert [kind for kind, _ in log][:4] == ["chunk", "question", "answer", "chunk"]


async def test_a_blocking_action_gets_files_that_are_open_and_close_with_it(app: App) -> None:
    got: list[Upload] = []

    @app.action(asks=Upload, inbox=list[Upload])
    def work(ctx: Context) -> Iterator[str]:
        got.append(ctx.blocking.ask(Upload, "Which file?"))
        got.extend(ctx.blocking.receive(list[Upload]) or [])
        for file in got:
            yield file.file.read().decode()

    run = await app.start(work)
    await asked(run)
    await run.answer("1", BytesIO(b"a"))
    await run.send([BytesIO(b"b"), BytesIO(b"c")])

    assert (await outcome(run)).chunks[2:] == ["a", "b", "c"]
    await app.close()
    assert all(file.file.closed for file in got)


async def test_a_default_has_no_file(app: App, caplog: pytest.LogCaptureFixture) -> None:
    @app.action(asks=Upload)
    async def work(ctx: Context) -> None:
        await ctx.ask(Upload, "Which file?", timeout=1, default=Upload(BytesIO(b"a")))

    await outcome(await app.start(work))

    assert "ask(): default= has a file, or does not match Upload" in caplog.text


async def test_a_message_whose_files_were_being_opened_is_received_again(app: App) -> None:
    is_sent = asyncio.Event()

    @app.action(inbox=Upload)
    async def work(ctx: Context) -> str:
        await is_sent.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(0):  # over before a thread can open it
                await ctx.receive(Upload)
        file = await ctx.receive(Upload, timeout=SOON)
        return "" if file is None else file.filename

    run = await app.start(work)
    await run.send(Upload(BytesIO(b"a"), filename="a.jpg"))
    is_sent.set()

    assert await run.result() == "a.jpg"


async def test_a_blocking_action_that_asks_can_be_cancelled(app: App) -> None:
    @app.action(asks=bool)
    def work(ctx: Context) -> Iterator[str]:
        yield "before"
        yield str(ctx.blocking.ask(bool, "Continue?"))

    run = await app.start(work)
    await asked(run)
    await run.cancel()

    assert (await outcome(run)).end[0] == "cancelled"


@pytest.mark.parametrize("name", ["ask", "receive", "inbox"])
async def test_each_kind_of_code_is_told_of_the_method_that_is_for_it(app: App, name: str) -> None:
    given = [bool, "Continue?"] if name == "ask" else [Wish]

    @app.action(asks=bool, inbox=Wish)
    def block(ctx: Context) -> None:
        getattr(ctx, name)(*given)

    @app.action(asks=bool, inbox=Wish)
    async def wait(ctx: Context) -> None:
        list(getattr(ctx.blocking, name)(*given))

    with pytest.raises(UsageError, match=rf"write ctx\.blocking\.{name}"):
        await ask_directly(app, block)
    with pytest.raises(UsageError, match=rf"write ctx\.{name}\("):
        await ask_directly(app, wait)


# Later attempts.


async def test_a_later_attempt_finds_the_answer_and_the_log_has_it_once(app: App) -> None:
    attempts = list[int]()

    @app.action(asks=bool, retries=AGAIN)
    async def work(ctx: Context) -> AsyncIterator[str]:
        attempts.append(ctx.attempt)
        yield str(await ctx.ask(bool, "Continue?"))
        if ctx.attempt < 3:
            raise Flaky

    run = await app.start(work)
    await asked(run)
    await run.answer("1", value=True)
    log = told((await outcome(run)).events)

    kinds = [kind for kind, _ in log]
    assert attempts == [1, 2, 3]
    assert (kinds.count("question"), kinds.count("answer")) == (1, 1)
    assert log[-2:] == [("chunk", "True"), ("done", {})]


@pytest.mark.parametrize("is_caught", [True, False])
async def test_an_answer_that_no_longer_matches_its_type_is_refused_to_the_later_attempt(
    app: App,
    is_caught: bool,  # noqa: FBT001 - of the parameters
) -> None:
    least = 0  # what another version of the action demands

    def check(number: int) -> int:
        if number < least:
            raise ValueError(f"at least {least}")
        return number

    kind = Annotated[int, AfterValidator(check)]

    @app.action(asks=kind, retries=AGAIN)
    async def work(ctx: Context) -> int:
        nonlocal least
        try:
            number = await ctx.ask(kind, "How many?")
        except ValidationFailed:
            if not is_caught:
                raise
            number = await ctx.ask(kind, "How many, at least 10?", id="again")
        if ctx.attempt == 1:
            least = 10
            raise Flaky
        return number

    run = await app.start(work)
    await asked(run)
    await run.answer("1", 7)
    if is_caught:
        await asked(run, 2)
        await run.answer("again", 12)

    end = (await outcome(run)).end
    assert end == ("done", {"result": 12}) if is_caught else end[1]["code"] == "VALIDATION_ERROR"


def test_an_answer_between_two_attempts_counts() -> None:
    async def story(app: App) -> None:
        @app.action(asks=bool, retries=Retry(1, backoff=20.0, on=(Flaky,)))
        async def work(ctx: Context) -> bool:
            if ctx.attempt == 1:
                ctx.spawn(ctx.ask(bool, "Continue?"))
                await go.wait()
                raise Flaky
            return await ctx.ask(bool, "Continue?")

        go = asyncio.Event()
        run = await app.start(work)
        await asked(run)
        go.set()
        await happened(run, EventType.RESTARTED)
        open_between = await run.questions()
        await run.answer("1", value=True)

        assert [question["id"] for question in open_between] == ["1"]
        assert await run.result() is True

    in_virtual_time(story)


async def happened(run: Run[Any], kind: EventType) -> None:
    """Return when the log has an event of this type."""
    async with asyncio.timeout(SOON):
        async for event in run.events():
            if event.type is kind:
                return


def test_a_later_attempt_does_not_extend_the_time_for_an_answer() -> None:
    async def story(app: App) -> None:
        @app.action(asks=bool, retries=AGAIN)
        async def work(ctx: Context) -> bool:
            if ctx.attempt == 1:
                ctx.spawn(ctx.ask(bool, "Continue?", timeout=20.0, default=False))
                await asyncio.sleep(15)
                raise Flaky
            return await ctx.ask(bool, "Continue?", timeout=20.0, default=True)

        begun = app.clock.now()
        run = await app.start(work)
        log = told((await outcome(run)).events)

        assert 20 <= app.clock.now() - begun < 22
        assert [kind for kind, _ in log] == ["question", "restarted", "answer", "done"]
        assert log[-1] == ("done", {"result": True})

    in_virtual_time(story)


async def test_an_attempt_that_starts_at_a_saved_place_does_not_take_older_answers(
    app: App,
) -> None:
    @app.action(asks=int, inbox=Wish, retries=AGAIN)
    async def work(ctx: Context) -> list[int]:
        done = ctx.saved or []
        for place in range(len(done), 3):
            done.append(await ctx.ask(int, f"Number {place}?"))
            wish = await ctx.receive(Wish)
            done[-1] += int(wish.text if wish else "0")
            ctx.save(done)
            await asyncio.sleep(0)
            if ctx.attempt < 3:
                raise Flaky
        return done

    run = await app.start(work)
    for number in range(3):
        await asked(run, number + 1)
        await run.answer(str(number + 1), number)
        await run.send({"text": f"{10 * number}"})

    assert await run.result() == [0, 11, 22]


async def test_hooks_are_told_what_was_asked_once() -> None:
    class Notes(Hooks):
        def question_asked(self, run: RunRecord, question: Any, /) -> None:  # noqa: ANN401 - the event's data
            notes.append((run.action, question["prompt"]))

    notes = list[tuple[str, str]]()
    async with opened(App(timing=QUIET, hooks=[Notes()])) as app:

        @app.action(asks=bool, retries=AGAIN)
        async def work(ctx: Context) -> None:
            await ctx.ask(bool, "Continue?")
            if ctx.attempt == 1:
                raise Flaky

        run = await app.start(work)
        await asked(run)
        await run.answer("1", value=True)
        await outcome(run)

    assert notes == [("work", "Continue?")]
