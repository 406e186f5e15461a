"""A run's fragment, and the patches that keep it current, as any library in a page gets them."""

import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, Final

import pytest
from markupsafe import Markup as Marked
from pydantic import BaseModel
from pydantic_core import to_json

from yieldwire import Actions, Progress, Text
from yieldwire.asgi.pages.markup import Markup, tag
from yieldwire.dialects.fragment import Fragment, FragmentEncoder, Patch, TextHeaders, merged
from yieldwire.dialects.translation import Translation
from yieldwire.errors import ErrorObject, Json
from yieldwire.log.cursor import Cursor
from yieldwire.log.events import Block, Event, EventType
from yieldwire.log.run import Status

RUN: Final = "rAAAAAAAAAAAAAAAAAAAA"
SNAPSHOT: Final[Mapping[str, Json]] = {
    "status": "running",
    "error": None,
    "progress": None,
    "text": "",
    "result": None,
    "questions": [],
    "cancelRequested": False,
}


class Guest(BaseModel):
    name: str


class Plain:
    """A library that is told patches in plain words."""

    shows_refusals = True

    def feed(self, url: str) -> Markup:
        return tag("a", href=url)

    def sending(self, url: str, key: str = "") -> Mapping[str, object]:
        return {"data_to": url, "data_key": key or None}

    def lines(self, patches: Sequence[Patch]) -> bytes:
        ends = {True: "+", False: "="}
        return "".join(
            f"data: {each.id.removeprefix(f'run-{RUN}-')}{ends[each.appends]}{each.html}\n"
            for each in patches
        ).encode()

    def replacing(self, sheet: str, address: str = "") -> tuple[TextHeaders, Markup]:
        return [], Markup(sheet + address)


async def invite() -> AsyncIterator[Guest | Progress | Text]:
    yield Guest(name="Ada")


def row(guest: Guest) -> Marked:
    return Marked("<li>{}</li>").format(guest.name)


def fragment(**options: Any) -> Fragment:  # noqa: ANN401 - an action's own
    return Fragment(
        run_id=RUN,
        name="invite",
        action=Actions().action(**options)(invite),
        url=f"/runs/{RUN}",
        stream=f"/runs/{RUN}/plain",
        library=Plain(),
    )


def told(of: Fragment, *blocks: Block, seq: int = 0) -> list[str]:
    """Return the patches in the frames of some blocks."""
    translation = Translation(FragmentEncoder(of, seq=seq, progress=None), after=seq)
    translation.opening(Cursor(RUN, seq), b"")
    sent = b"".join(map(translation.encode, blocks)).decode()
    return [line.removeprefix("data: ") for line in sent.split("\n") if line.startswith("data")]


def chunks(first: int, *values: object) -> Block:
    return Block.of_chunks(RUN, first, [to_json(value) for value in values])


def event(seq: int, value: object, kind: EventType = EventType.CHUNK) -> Event:
    return next(iter(Block.of_event(RUN, seq, kind, to_json(value)).events()))


def test_a_block_is_one_frame_that_resumes_behind_it() -> None:
    encoder = FragmentEncoder(fragment(), seq=0, progress=None)
    block = chunks(1, Text("a<"), Progress(1, total=4), Text("b"), Progress(2, total=4))

    sent = Translation(encoder).encode(block).decode()

    assert sent.endswith(f"\nid: {RUN}.4\n\n")
    assert sent.count("\n\n") == 1
    assert "text+a&lt;b\n" in sent
    assert sent.count("<progress") == 1
    assert 'value="2"' in sent


def test_chunks_look_as_the_action_says() -> None:
    block = chunks(1, {"name": "<Ada>"}, {"name": "Bob"})

    assert told(fragment(html=row), block)[-1] == "output+<li>&lt;Ada&gt;</li><li>Bob</li>"


def test_chunks_look_by_their_type_without_html() -> None:
    (patch,) = told(fragment(), chunks(1, {"name": "<Ada>"}))[-1:]

    assert "&lt;Ada&gt;" in patch
    assert "<dt>Name</dt>" in patch


@pytest.mark.parametrize("kind", [["text"], {"a": 1}, None, 1])
def test_a_chunk_can_have_a_type_of_any_form(kind: Json) -> None:
    (patch,) = told(fragment(), chunks(1, {"type": kind}))[-1:]

    assert "<dt>Type</dt>" in patch


def test_a_chunk_of_another_type_than_declared_is_passed_on_as_it_is() -> None:
    look = fragment(html=repr)

    assert told(look, chunks(1, {"other": 1}))[-1] == "output+{&#x27;other&#x27;: 1}"


def test_a_streamable_value_takes_the_place_of_the_one_before() -> None:
    values = [{"type": "value", "value": 1}, {"type": "value", "value": 2}]

    assert told(fragment(html=str), chunks(1, *values))[-1] == "output=2"


def test_the_end_shows_the_result_and_closes_the_connection() -> None:
    end = Block.of_event(RUN, 2, EventType.DONE, to_json({"result": "<fine>"}))

    patches = dict(re.split("[=+]", each, maxsplit=1) for each in told(fragment(), end))

    assert "&lt;fine&gt;" in patches["result"]
    assert "Completed" in patches["status"]
    assert (patches["feed"], patches["stop"], patches["questions"]) == ("", "", "")


def test_an_error_is_shown_and_closes_the_connection() -> None:
    failed = to_json(ErrorObject(code="NO", message="<no>", status=402).to_dict())

    patches = told(fragment(), Block.of_event(RUN, 2, EventType.ERROR, failed))

    assert any(each.startswith("error=") and "&lt;no&gt;" in each for each in patches)
    assert "feed=" in patches


def test_a_question_is_a_form_until_it_is_answered() -> None:
    asked = {"id": "q 1", "prompt": "Continue?", "name": "bool", "schema": {"type": "boolean"}}
    question = Block.of_event(RUN, 2, EventType.QUESTION, to_json(asked))
    answer = Block.of_event(RUN, 3, EventType.ANSWER, to_json({"id": "q 1", "value": True}))

    _, shown, removed = told(fragment(), question, answer)

    assert shown.startswith(f'questions+<div id="run-{RUN}-question-q 1"')
    assert f'data-to="/runs/{RUN}/questions/q%201"' in shown
    assert removed == "question-q 1="


def test_a_restart_that_takes_back_chunks_connects_again_for_the_whole_state() -> None:
    restarted = Block.of_event(RUN, 3, EventType.RESTARTED, to_json({"attempt": 2, "keep": 1}))
    feed = f'feed=<a href="/runs/{RUN}/plain?again=2"></a>'

    assert told(fragment(), chunks(1, Text("a"), Text("b")), restarted)[-1] == feed
    assert told(fragment(), restarted, seq=2) == [feed]
    assert told(fragment(), chunks(1, Text("a")), restarted)[-1] == "text+a"


def test_a_reader_that_a_trimmed_log_leaves_behind_connects_again() -> None:
    translation = Translation(FragmentEncoder(fragment(), seq=1, progress=None), after=1)

    assert b"feed=<a href" in translation.reset(RUN, 7)


def test_the_whole_state_has_what_the_log_has() -> None:
    snapshot = {**SNAPSHOT, "text": "<so far>", "cancelRequested": True}
    restarted = event(3, {"attempt": 2, "keep": 1}, EventType.RESTARTED)
    events = [event(1, {"name": "Ada"}), event(2, {"name": "Bob"}), restarted]

    whole = fragment(html=row).whole(snapshot, events)

    assert "&lt;so far&gt;" in whole
    assert "<li>Ada</li></div>" in whole
    assert "Bob" not in whole
    assert "Stopping" in whole


def test_a_run_that_has_ended_is_not_followed() -> None:
    whole = fragment().whole({**SNAPSHOT, "status": "completed"}, [])

    assert "/plain" not in whole
    assert "<button" not in whole


@pytest.mark.parametrize("order", [[True, False, True], [False, True, True]])
def test_merged_patches_have_the_same_effect(order: list[bool]) -> None:
    patches = [
        Patch(id="a", html=Markup(str(n)), appends=appends) for n, appends in enumerate(order)
    ]

    assert applied(merged(patches)) == applied(patches)
    assert len(merged(patches)) == 2


def applied(patches: Iterable[Patch]) -> str:
    shown = ""
    for patch in patches:
        shown = shown + patch.html if patch.appends else patch.html
    return shown


def test_parts_at_the_end_need_no_schema() -> None:
    unknown = Fragment(run_id=RUN, name="gone", action=None, url="", stream="", library=Plain())

    assert "<p" in unknown.standing(Status.COMPLETED, result="text")["result"]
    assert unknown.chunk(event(1, {"n": 1})) is not None
