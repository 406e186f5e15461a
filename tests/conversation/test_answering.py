"""A client answers a run's questions and sends it messages, over the application's own HTTP."""

from collections.abc import AsyncGenerator, AsyncIterator

import pytest
from pydantic import BaseModel, Field

from yieldwire import Actions, Context, RunLimits, Text
from yieldwire.client import AsyncClient, RemoteRun
from yieldwire.errors import (
    AlreadyAnswered,
    Forbidden,
    InboxFull,
    Json,
    NotFound,
    RunEnded,
    ValidationFailed,
)
from yieldwire.log.events import EventType
from yieldwire.testing import connect


class Decision(BaseModel):
    approved: bool
    copies: int = Field(gt=0, default=1)


@pytest.fixture
def actions() -> Actions:
    actions = Actions(
        identify=lambda request: request.headers.get("x-user"), run_limits=RunLimits(max_messages=3)
    )

    @actions.action(asks=(Decision, bool), linger=None)
    async def publish(ctx: Context) -> AsyncIterator[Text]:
        """Ask, and publish; ask again before it prints several copies."""
        decision = await ctx.ask(Decision, "Publish this?", detail={"words": 3})
        sure = decision.copies == 1 or await ctx.ask(bool, "Really?")
        yield Text(f"{decision.copies} copies: {decision.approved and sure}")

    @actions.action(inbox=str, linger=None)
    async def draw(ctx: Context) -> AsyncIterator[Text]:
        """Draw what is wished for, until it is enough."""
        async for wish in ctx.inbox(str):
            yield Text(f"{wish}.")
            if wish == "enough":
                return

    return actions


@pytest.fixture
async def ada(actions: Actions) -> AsyncGenerator[AsyncClient, None]:
    async with connect(actions, x_user="ada") as client:
        yield client


async def asked(client: AsyncClient) -> RemoteRun:
    """Return a run whose question has been read."""
    run = await client.start("publish")
    async for event in run.events():
        if event.type is EventType.QUESTION:
            return run
    raise AssertionError("nothing was asked")


async def answer_next(run: RemoteRun, value: object) -> None:
    """Answer the next question that the run asks."""
    async for event in run.events():
        if event.type is EventType.QUESTION:
            await run.answer(event.value["id"], value)
            return


async def texts(run: RemoteRun) -> list[Json]:
    return [chunk["text"] async for chunk in run]


async def test_the_run_continues_with_the_answer(ada: AsyncClient) -> None:
    run = await asked(ada)
    (question,) = await run.questions()

    accepted = await run.answer(question["id"], Decision(approved=True))

    assert (question["prompt"], question["detail"]) == ("Publish this?", {"words": 3})
    assert (accepted["runId"], accepted["number"]) == (run.id, 1)
    assert await texts(run) == ["1 copies: True"]
    assert await run.questions() == []


async def test_every_reader_sees_the_answer_and_who_gave_it(ada: AsyncClient) -> None:
    run = await asked(ada)
    await run.answer("1", {"approved": False})
    await texts(run)

    events = [event async for event in ada.attach(run.id).events()]

    assert [event.type for event in events[:2]] == [EventType.QUESTION, EventType.ANSWER]
    answer = events[1].value
    assert (answer["id"], answer["by"], answer["value"]["approved"]) == ("1", "ada", False)


async def test_an_answer_that_does_not_match_says_where_and_leaves_the_question_open(
    ada: AsyncClient,
) -> None:
    run = await asked(ada)

    with pytest.raises(ValidationFailed, match="copies: Input should be greater") as caught:
        await run.answer("1", {"approved": True, "copies": 0})

    assert list(caught.value.field_errors or {}) == ["copies"]
    assert len(await run.questions()) == 1
    await run.cancel()


async def test_the_first_answer_counts_and_the_second_learns_whose_it_was(
    ada: AsyncClient,
) -> None:
    run = await asked(ada)
    await run.answer("1", {"approved": True, "copies": 2})

    with pytest.raises(AlreadyAnswered, match="answered") as caught:
        await ada.answer(run.id, "1", {"approved": False})
    await answer_next(run, True)

    assert caught.value.data["by"] == "ada"
    assert await texts(run) == ["2 copies: True"]


async def test_a_run_that_has_ended_takes_no_answer(ada: AsyncClient) -> None:
    run = await asked(ada)
    await run.cancel()
    async for _ in run.events():
        pass

    with pytest.raises(RunEnded, match="has ended"):
        await run.answer("1", {"approved": True})


async def test_a_question_that_was_not_asked_is_not_found(ada: AsyncClient) -> None:
    run = await asked(ada)

    with pytest.raises(NotFound, match="question"):
        await run.answer("7", {"approved": True})

    await run.cancel()


async def test_somebody_else_cannot_answer(actions: Actions, ada: AsyncClient) -> None:
    run = await asked(ada)

    async with connect(actions, x_user="ben") as ben:
        with pytest.raises(Forbidden, match="somebody else"):
            await ben.answer(run.id, "1", {"approved": True})

    await run.cancel()


async def test_messages_are_received_in_the_order_of_their_numbers(ada: AsyncClient) -> None:
    run = await ada.start("draw")

    numbers = [(await run.send(wish))["number"] for wish in ("a tree", "a house", "enough")]

    assert numbers == [1, 2, 3]
    assert await texts(run) == ["a tree.", "a house.", "enough."]
    with pytest.raises(RunEnded, match="has ended"):
        await run.send("more")


async def test_a_message_that_does_not_match_is_refused(ada: AsyncClient) -> None:
    run = await ada.start("draw")

    with pytest.raises(ValidationFailed, match="valid string"):
        await run.send({"a": "tree"})

    await run.cancel()


async def test_an_inbox_can_be_full(ada: AsyncClient) -> None:
    run = await ada.start("draw")
    for wish in "abc":
        await run.send(wish)

    with pytest.raises(InboxFull, match="no more messages"):
        await run.send("enough")

    await run.cancel()


async def test_an_action_that_takes_no_messages_says_so(ada: AsyncClient) -> None:
    run = await asked(ada)

    with pytest.raises(NotFound, match="takes no messages"):
        await run.send("more")

    await run.cancel()
