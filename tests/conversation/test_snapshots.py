"""A run as one object and as a page, for those who do not follow it."""

from tests.support.server import ThreadServer
from tests.support.story import EVENTS, TEXT, Story
from tests.support.wire import fetch, post, request


async def test_a_snapshot_adds_the_events_up(server: ThreadServer, story: Story) -> None:
    story.go_on()
    answer = await fetch(server.port, post("/tell", headers={"Accept": "application/json"}))

    snapshot = (await fetch(server.port, request("GET", answer.headers["location"]))).json()

    assert snapshot["text"] == TEXT
    assert snapshot["progress"] == EVENTS[3][2]
    assert (snapshot["status"], snapshot["seq"], snapshot["result"]) == ("completed", 5, [1, 2, 3])


async def test_a_browsers_own_form_post_is_sent_on_to_a_page_that_follows_the_run(
    server: ThreadServer, story: Story
) -> None:
    story.go_on()
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    form = browser | {"Content-Type": "application/x-www-form-urlencoded"}

    answer = await fetch(server.port, request("POST", "/tell", form, b""))
    location = answer.headers["location"]
    await fetch(server.port, request("GET", f"{location}/events"))
    page = await fetch(server.port, request("GET", location, browser))

    assert answer.status == 303
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert TEXT.strip() in page.body.decode()
    assert 'data-status="completed"' in page.body.decode()
