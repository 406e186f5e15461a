"""The story as it is followed: every way in brings the same events, from every kind of store."""

from uuid import uuid4

from tests.conversation.door import (
    over_each_way,
    over_each_way_that_resumes,
)
from tests.conversation.ways import StoryPlace, Way
from tests.support.story import BEGINNING, END, EVENTS, POURING


@over_each_way
async def test_events_come_while_the_run_goes_on_and_then_its_end(
    ada: Way, place: StoryPlace
) -> None:
    run = await ada.start("tell")

    beginning = await run.read(BEGINNING)
    place.story.go_on(run.id)
    end = await run.read(END)

    assert (beginning, end) == (ada.shows(BEGINNING), ada.shows(END))
    assert await run.result() == [1, 2, 3]


@over_each_way
async def test_each_way_comes_in_as_it_says(ada: Way, place: StoryPlace, way_in: str) -> None:
    place.story.asked.clear()
    run = await ada.start("tell")
    await run.read(BEGINNING)

    comes_over_http = "/tell" in place.story.asked

    assert comes_over_http == ("websocket" not in way_in and way_in != "in process")
    await ada.cancel(run.id)


@over_each_way
async def test_a_slow_reader_gets_everything(ada: Way, place: StoryPlace) -> None:
    run = await ada.start("pour")
    first = await run.read(POURING[:1])
    await place.story.wait_for_rest()

    rest = await run.read(POURING[1:])

    assert first == ada.shows(POURING[:1])
    assert rest == ada.shows(POURING[1:])


@over_each_way
async def test_a_run_goes_on_without_the_reader_that_left_it(ada: Way, place: StoryPlace) -> None:
    run = await ada.start("tell")
    await run.read(BEGINNING)

    await run.leave()
    place.story.go_on(run.id)
    again = await ada.attach("tell", run.id)

    assert await again.read(EVENTS) == ada.shows(EVENTS)


@over_each_way_that_resumes
async def test_a_reader_that_comes_back_continues_after_its_cursor(
    ada: Way, place: StoryPlace
) -> None:
    run = await ada.start("tell")
    await run.read(BEGINNING)
    await run.leave()

    again = await ada.attach("tell", run.id, run.cursor)
    place.story.go_on(run.id)

    assert await again.read(END) == END
    assert await again.result() == [1, 2, 3]


@over_each_way
async def test_a_second_viewer_sees_the_whole_run_too(ada: Way, place: StoryPlace) -> None:
    run = await ada.start("tell")
    await run.read(BEGINNING)

    second = await ada.attach("tell", run.id)
    beginning = await second.read(BEGINNING)
    place.story.go_on(run.id)

    assert beginning == ada.shows(BEGINNING)
    assert await run.read(END) == await second.read(END) == ada.shows(END)


@over_each_way
async def test_the_same_start_is_one_run(ada: Way, place: StoryPlace) -> None:
    started, key = place.story.started, uuid4().hex
    first = await ada.start("tell", key=key)
    second = await ada.start("tell", key=key)

    place.story.go_on(first.id)

    assert second.id == first.id
    assert await second.read(EVENTS) == await first.read(EVENTS) == ada.shows(EVENTS)
    assert place.story.started == started + 1
