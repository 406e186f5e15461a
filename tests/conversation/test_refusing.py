"""What a caller is told of everything that can go wrong, by every way in."""

from uuid import uuid4

import pytest

from tests.conversation.door import (
    Door,
    outcome,
    over_each_way,
    over_each_way_of_callers,
    refusal,
)
from tests.conversation.ways import StoryPlace, Way
from tests.support.story import OUT_OF_CREDIT, Log, text


@over_each_way
async def test_input_that_does_not_fit_is_refused_field_by_field(ada: Way) -> None:
    error = await refusal(ada.start("refuse", {"how": 7, "when": "at once"}))

    assert (error["code"], error["statusCode"], error["runId"]) == ("VALIDATION_ERROR", 422, None)
    assert error["fieldErrors"] == {
        "how": ["Input should be a valid string"],
        "when": ["Extra inputs are not permitted"],
    }


@over_each_way
async def test_what_a_guard_refuses_never_starts(ada: Way, place: StoryPlace) -> None:
    started = place.story.started

    error = await refusal(ada.start("tell_nobody"))

    assert (error["code"], error["message"]) == ("FORBIDDEN", "Not today.")
    assert place.story.started == started


@over_each_way_of_callers
async def test_an_action_that_does_not_exist_is_not_found(ada: Way) -> None:
    error = await refusal(ada.start("nothing"))

    assert (error["code"], error["statusCode"]) == ("NOT_FOUND", 404)


@over_each_way
async def test_an_error_before_the_first_chunk_is_all_that_there_is(ada: Way) -> None:
    error = await outcome(ada.start("refuse"))

    assert error == OUT_OF_CREDIT | {"runId": error["runId"]}
    log: Log = [(1, "error", error)]
    again = await ada.attach("refuse", error["runId"])
    assert await again.read(log) == ada.shows(log)


@over_each_way
async def test_an_error_after_the_first_chunk_is_the_last_event(ada: Way) -> None:
    run = await ada.start("refuse", {"how": "late"})

    error = OUT_OF_CREDIT | {"runId": run.id}
    log: Log = [(1, "chunk", text("a beginning")), (2, "error", error)]
    assert await run.read(log) == ada.shows(log)
    assert await refusal(run.result()) == error


@over_each_way
async def test_what_nobody_expected_reaches_the_caller_as_an_id_that_the_log_has_too(
    ada: Way, caplog: pytest.LogCaptureFixture
) -> None:
    run = await ada.start("refuse", {"how": "secretly"})

    error = await refusal(run.result())

    assert (error["code"], error["statusCode"]) == ("INTERNAL_ERROR", 500)
    assert "secret" not in str(error)
    assert error["errorId"] in caplog.text
    assert "a secret of the server" in caplog.text


@over_each_way_of_callers
async def test_a_run_of_somebody_else_is_forbidden(ada: Way, door: Door) -> None:
    run = await ada.start("publish")
    ben = await door.enter("ben")

    codes = [
        error["code"]
        for error in [
            await outcome(ben.attach("publish", run.id)),
            await refusal(ben.cancel(run.id)),
            await refusal(ben.answer(run.id, "1", {"approved": True})),
            await refusal(ben.send(run.id, "hello")),
        ]
    ]

    assert codes == ["FORBIDDEN"] * 4
    await ada.cancel(run.id)


@over_each_way_of_callers
async def test_who_cannot_be_identified_starts_nothing(door: Door, place: StoryPlace) -> None:
    started = place.story.started
    unknown = await door.enter("unknown")

    error = await refusal(unknown.start("tell"))

    assert (error["code"], error["statusCode"]) == ("UNAUTHORIZED", 401)
    assert place.story.started == started


@over_each_way_of_callers
async def test_the_cursor_of_another_run_is_refused(ada: Way) -> None:
    run = await ada.start("publish")
    other = await outcome(ada.start("refuse"))

    error = await outcome(ada.attach("publish", run.id, f"{other['runId']}.1"))

    assert (error["code"], error["statusCode"]) == ("GONE", 410)
    await ada.cancel(run.id)


@over_each_way
async def test_a_key_belongs_to_one_input(ada: Way) -> None:
    key = uuid4().hex
    await outcome(ada.start("refuse", {"how": "late"}, key=key))

    error = await refusal(ada.start("refuse", {"how": "early"}, key=key))

    assert (error["code"], error["statusCode"]) == ("KEY_REUSED", 422)
