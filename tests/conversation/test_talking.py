"""What callers tell a run, by every way in: to stop, answers to its questions, and messages."""

from tests.conversation.door import over_each_way, refusal
from tests.conversation.ways import StoryPlace, Way
from tests.support.story import BEGINNING, MESSAGES, Log, text

DECISION = {
    "description": "An answer to the story's question.",
    "properties": {
        "approved": {"title": "Approved", "type": "boolean"},
        "copies": {"default": 1, "exclusiveMinimum": 0, "title": "Copies", "type": "integer"},
    },
    "required": ["approved"],
    "title": "Decision",
    "type": "object",
}
FIRST = {"id": "1", "prompt": "Publish this?", "name": "Decision", "schema": DECISION}
ASKED: Log = [(1, "question", FIRST | {"detail": {"words": 3}})]
SECOND = {"id": "2", "prompt": "Really?", "name": "bool", "schema": {"type": "boolean"}}
ANSWERED: Log = [
    (2, "answer", {"id": "1", "by": "ada", "value": {"approved": True, "copies": 2}}),
    (3, "question", SECOND),
]
PUBLISHED: Log = [
    (4, "answer", {"id": "2", "by": "ada", "value": True}),
    (5, "chunk", text("2 copies: True")),
    (6, "done", {}),
]
DRAWN: Log = [
    (1, "chunk", text("What? ")),
    (2, "chunk", text("a tree.")),
    (3, "chunk", text("a house.")),
    (4, "chunk", text("enough.")),
    (5, "done", {}),
]


@over_each_way
async def test_a_cancelled_run_says_so_in_its_last_event(ada: Way, place: StoryPlace) -> None:
    run = await ada.start("tell")
    await run.read(BEGINNING)
    place.story.cleaned.clear()

    await ada.cancel(run.id)
    await ada.cancel(run.id)
    error = await refusal(run.result())

    assert place.story.cleaned.is_set()  # before the last event came, not some time after
    assert (error["code"], error["data"]) == ("CANCELLED", {"reason": "requested"})
    log: Log = [*BEGINNING, (3, "cancelled", error)]
    again = await ada.attach("tell", run.id)
    assert await again.read(log) == ada.shows(log)


@over_each_way
async def test_a_run_continues_with_the_answers_to_its_questions(ada: Way) -> None:
    run = await ada.start("publish")

    asked = await run.read(ASKED)
    await ada.answer(run.id, "1", {"approved": True, "copies": 2})
    second = await run.read(ANSWERED)
    await ada.answer(run.id, "2", True)

    assert (asked, second) == (ada.shows(ASKED), ada.shows(ANSWERED))
    assert await run.read(PUBLISHED) == ada.shows(PUBLISHED)
    assert (await refusal(ada.answer(run.id, "2", True)))["code"] == "RUN_ENDED"


@over_each_way
async def test_an_answer_that_is_refused_leaves_its_question_open(ada: Way) -> None:
    run = await ada.start("publish")
    await run.read(ASKED)

    invalid = await refusal(ada.answer(run.id, "1", {"approved": True, "copies": 0}))
    unknown = await refusal(ada.answer(run.id, "7", True))
    await ada.answer(run.id, "1", {"approved": True, "copies": 2})
    late = await refusal(ada.answer(run.id, "1", {"approved": False}))

    assert (invalid["code"], list(invalid["fieldErrors"])) == ("VALIDATION_ERROR", ["copies"])
    assert unknown["code"] == "NOT_FOUND"
    assert (late["code"], late["data"]["by"]) == ("ALREADY_ANSWERED", "ada")
    assert await run.read(ANSWERED) == ada.shows(ANSWERED)
    await ada.cancel(run.id)


@over_each_way
async def test_messages_reach_the_run_in_the_order_in_which_they_were_sent(ada: Way) -> None:
    run = await ada.start("draw")

    for wish in ("a tree", "a house", "enough"):
        await ada.send(run.id, wish)

    assert await run.read(DRAWN) == ada.shows(DRAWN)
    assert (await refusal(ada.send(run.id, "more")))["code"] == "RUN_ENDED"


@over_each_way
async def test_a_message_that_is_refused_does_not_reach_the_run(ada: Way) -> None:
    run = await ada.start("draw")
    other = await ada.start("publish")

    invalid = await refusal(ada.send(run.id, {"a": "tree"}))
    nobody = await refusal(ada.send(other.id, "a tree"))
    for wish in "abc"[:MESSAGES]:
        await ada.send(run.id, wish)
    full = await refusal(ada.send(run.id, "enough"))

    assert [error["code"] for error in (invalid, nobody, full)] == [
        "VALIDATION_ERROR",
        "NOT_FOUND",
        "INBOX_FULL",
    ]
    log: Log = [*DRAWN[:1], *((n + 2, "chunk", text(f"{wish}.")) for n, wish in enumerate("abc"))]
    assert await run.read(log) == ada.shows(log)
    for each in (run, other):
        await ada.cancel(each.id)
