"""What callers tell a run: who can, what is accepted, and what is refused."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import BaseModel

from tests.support.runs import opened
from yieldwire import Context
from yieldwire.actions.run import Run
from yieldwire.app import App
from yieldwire.clock import Timing
from yieldwire.errors import (
    AlreadyAnswered,
    Forbidden,
    InboxFull,
    KeyReused,
    NotFound,
    PayloadTooLarge,
    RunEnded,
    Unauthorized,
    ValidationFailed,
)
from yieldwire.executors import RunLimits
from yieldwire.log.events import EventType
from yieldwire.log.message import Message
from yieldwire.log.run import RunRecord, Verb
from yieldwire.runs.access import Caller, Grant, caller_with

ADA, BOB, NOBODY = Caller(owner="ada"), Caller(owner="bob"), Caller()


class Decision(BaseModel):
    approved: bool
    note: str = ""


def readers_only(caller: Caller, _run: RunRecord, verb: Verb) -> bool:
    """Let a reviewer answer, and an auditor read."""
    return (caller.owner, verb) in {("reviewer", "answer"), ("auditor", "read")}


@pytest.fixture
async def app() -> AsyncIterator[App]:
    limits = RunLimits(max_messages=3, max_event_bytes=1_000)
    app = App(timing=Timing(grace=0.1), access=readers_only, run_limits=limits)

    @app.action(asks=(Decision, bool), inbox=int)
    async def publish(ctx: Context) -> AsyncIterator[str]:
        yield "draft"
        await ctx.ask(Decision, "Publish this?")
        await asyncio.Event().wait()

    @app.action
    async def count() -> AsyncIterator[int]:
        yield 1
        await asyncio.Event().wait()

    async with opened(app) as app:
        yield app


async def asking(app: App, owner: str | None = "ada") -> Run[Any]:
    """Return a run that has asked the question 1, and continues."""
    run = await app.start(app.registry.action_named("publish"), {}, owner=owner)
    async for event in run.events():
        if event.type is EventType.QUESTION:
            break
    return run


def said(message: Message) -> tuple[int, bytes, str | None, str | None]:
    return message.number, message.data, message.question, message.by


async def test_an_answer_is_accepted_as_the_type_of_its_question_reads_it(app: App) -> None:
    run = await asking(app)

    message = await app.answer(run.id, "1", {"approved": "yes"}, ADA)

    assert said(message) == (1, b'{"approved":true,"note":""}', "1", "ada")
    assert await app.store.inbox(run.id, 0) == [message]


async def test_a_message_is_accepted_as_the_type_of_the_inbox_reads_it(app: App) -> None:
    run = await asking(app)

    messages = [await app.send(run.id, value, ADA) for value in (3, "4")]

    assert list(map(said, messages)) == [(1, b"3", None, "ada"), (2, b"4", None, "ada")]


async def test_code_in_the_servers_process_can_answer_and_send(app: App) -> None:
    run = await asking(app)

    answer = await run.answer("1", Decision(approved=False), by="eve")
    message = await run.send(3)

    assert said(answer) == (1, b'{"approved":false,"note":""}', "1", "eve")
    assert said(message) == (2, b"3", None, None)
    assert [question["id"] for question in await run.questions()] == ["1"]


@pytest.mark.parametrize("value", [{}, {"approved": "perhaps"}, None, "yes"])
async def test_an_answer_that_does_not_match_is_refused_and_the_question_stays_open(
    app: App, value: object
) -> None:
    run = await asking(app)

    with pytest.raises(ValidationFailed, match="The input is not valid"):
        await app.answer(run.id, "1", value, ADA)

    assert await app.store.inbox(run.id, 0) == []


async def test_the_first_answer_counts_and_readers_learn_whose_it_is(app: App) -> None:
    run = await asking(app)
    first = await app.answer(run.id, "1", {"approved": True}, ADA)

    with pytest.raises(AlreadyAnswered, match="answered already") as told:
        await app.answer(run.id, "1", {"approved": False}, ADA)
    with pytest.raises(AlreadyAnswered, match="answered already") as untold:
        await app.answer(run.id, "1", {"approved": False}, Caller(owner="reviewer"))

    assert (told.value.data["by"], untold.value.data) == ("ada", None)
    assert told.value.data["at"].startswith("20")
    assert await app.store.inbox(run.id, 0) == [first]


async def test_the_same_key_and_value_are_one_answer(app: App) -> None:
    run = await asking(app)

    first, again = [await app.answer(run.id, "1", {"approved": 1}, ADA, key="k") for _ in "12"]

    assert first == again
    with pytest.raises(KeyReused, match="another input"):
        await app.answer(run.id, "1", {"approved": 0}, ADA, key="k")


@pytest.mark.parametrize(
    ("caller", "error"),
    [(BOB, Forbidden), (NOBODY, Unauthorized), (Caller(owner="auditor"), Forbidden)],
)
async def test_only_the_owner_and_whom_access_allows_can_answer_or_send(
    app: App, caller: Caller, error: type[Exception]
) -> None:
    run = await asking(app)

    with pytest.raises(error, match=r"belongs to somebody else|Sign in"):
        await app.answer(run.id, "1", {"approved": True}, caller)
    with pytest.raises(error, match=r"belongs to somebody else|Sign in"):
        await app.send(run.id, 1, caller)

    assert await app.store.inbox(run.id, 0) == []


async def test_a_run_without_an_owner_is_answered_by_anyone_who_has_its_id(app: App) -> None:
    run = await asking(app, owner=None)

    assert said(await app.answer(run.id, "1", {"approved": 1}, NOBODY))[3] is None


@pytest.mark.parametrize(("question", "allowed"), [(None, True), ("1", True), ("2", False)])
async def test_a_link_answers_its_question_in_the_name_that_it_carries(
    app: App,
    question: str | None,
    allowed: bool,  # noqa: FBT001 - of the parameters
) -> None:
    run = await asking(app)
    verbs: frozenset[Verb] = frozenset({"answer"})
    grant = Grant(run_id=run.id, verbs=verbs, expires_at=2**40, question=question, name="Grace")
    guest = caller_with(grant, "10.0.0.1")

    if allowed:
        assert said(await app.answer(run.id, "1", {"approved": 1}, guest))[3] == "Grace"
    else:
        with pytest.raises(Forbidden, match="for another question"):
            await app.answer(run.id, "1", {"approved": 1}, guest)


async def test_a_question_that_was_not_asked_is_not_found(app: App) -> None:
    run = await asking(app)

    with pytest.raises(NotFound, match="has not asked a question '2'"):
        await app.answer(run.id, "2", True, ADA)
    with pytest.raises(NotFound, match="There is no run"):
        await app.answer("r404", "1", True, ADA)


async def test_an_action_that_takes_no_messages_is_not_sent_any(app: App) -> None:
    run = await app.start(app.registry.action_named("count"), {}, owner="ada")

    with pytest.raises(NotFound, match="count takes no messages"):
        await app.send(run.id, 1, ADA)


async def test_a_run_that_has_ended_takes_nothing_more_but_says_again_what_it_took(
    app: App,
) -> None:
    run = await asking(app)
    first = await app.answer(run.id, "1", {"approved": 1}, ADA, key="k")
    await run.cancel()
    async for _ in run.events():
        pass

    with pytest.raises(RunEnded, match="has ended"):
        await app.send(run.id, 1, ADA)
    assert await app.answer(run.id, "1", {"approved": 1}, ADA, key="k") == first


async def test_a_run_takes_a_limited_number_of_messages_of_limited_size(app: App) -> None:
    run = await asking(app)

    with pytest.raises(PayloadTooLarge, match="over the limit of 1000"):
        await app.answer(run.id, "1", {"approved": True, "note": "x" * 1_000}, ADA)
    for number in range(3):
        await app.send(run.id, number, ADA)
    with pytest.raises(InboxFull, match="inbox is full"):
        await app.send(run.id, 3, ADA)
