"""AG-UI by its requests, where the published client hides them."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from pydantic_core import from_json

from tests.support.calls import Call, get, post, send, stream
from tests.support.world import ALICE, BOB, opened, wait_for_end, world
from yieldwire import Actions, Context, Result, Text
from yieldwire.dialects import AGUI
from yieldwire.stores import Query


def agui_world(**settings: Any) -> Actions:  # noqa: ANN401 - the dialect's own
    actions = world()

    @actions.action(asks=int)
    async def number(ctx: Context) -> AsyncIterator[Text | Result[int]]:
        yield Text("so far")
        yield Result(await ctx.ask(int, "Which?"))

    @actions.action
    async def tell(messages: list[dict[str, Any]], state: Any = None, tone: str = "") -> Any:  # noqa: ANN401
        return [messages, state, tone]

    actions.mount(AGUI(**settings))
    return actions


@pytest.fixture
async def site() -> AsyncIterator[Actions]:
    async with opened(agui_world()) as actions:
        yield actions


def asking(name: str, **body: Any) -> Call:  # noqa: ANN401 - JSON
    return post(f"/agui/{name}", {"threadId": "t", "runId": "r", **body}, ALICE)


def events_of(body: bytes) -> list[Any]:
    lines = [line for line in body.split(b"\n") if line.startswith(b"data: ")]
    return [from_json(line.removeprefix(b"data: ")) for line in lines]


async def test_an_action_gets_what_it_takes_of_the_input(site: Actions) -> None:
    message = {"id": "1", "role": "user", "content": "Hello"}
    props = {"tone": "kind", "other": 1}

    heard = await send(
        site, asking("tell", messages=[message], state={"n": 1}, tools=[], forwardedProps=props)
    )

    assert events_of(heard.body)[-1]["result"] == [[message], {"n": 1}, "kind"]


@pytest.mark.parametrize("body", [[], {"messages": 5}])
async def test_an_input_that_is_not_valid_is_refused(site: Actions, body: object) -> None:
    heard = await send(site, post("/agui/tell", body, ALICE))

    assert heard.status in {400, 422}
    assert "code" in heard.json()["error"]


@pytest.mark.parametrize(
    "call",
    [
        get("/agui/say", ALICE),
        get("/agui/say/stream", ALICE),
        post("/agui/say/t/stream", {}, ALICE),
        get("/agui/say/t/more", ALICE),
    ],
)
async def test_other_urls_are_not_found(site: Actions, call: Call) -> None:
    assert (await send(site, call)).status == 404


async def test_an_action_that_does_not_exist_is_left_to_the_application(site: Actions) -> None:
    heard = await send(site, post("/agui/nothing", {}, ALICE))

    assert (heard.status, heard.json()["error"]["code"]) == (404, "NOT_FOUND")


async def test_one_action_is_at_the_mount_itself() -> None:
    async with opened(world()) as actions:
        heard = await send(AGUI(actions.say), post("/", {"threadId": "t"}, ALICE))

    assert events_of(heard.body)[-1]["outcome"] == {"type": "success"}


async def test_an_answer_of_the_wrong_type_is_refused_and_can_be_repeated(site: Actions) -> None:
    first = events_of((await send(site, asking("number"))).body)
    (interrupt,) = first[-1]["outcome"]["interrupts"]
    entry = {"interruptId": interrupt["id"], "status": "resolved"}

    wrong = await send(site, asking("number", resume=[{**entry, "payload": "many"}]))
    right = await send(site, asking("number", resume=[{**entry, "payload": 7}]))
    again = await send(site, asking("number", resume=[{**entry, "payload": 8}]))

    assert wrong.status == 422
    assert events_of(right.body)[-1]["result"] == events_of(again.body)[-1]["result"] == 7


async def test_a_person_who_declines_what_is_not_a_yes_or_no_stops_the_run(site: Actions) -> None:
    first = events_of((await send(site, asking("number"))).body)
    (interrupt,) = first[-1]["outcome"]["interrupts"]
    entry = {"interruptId": interrupt["id"], "status": "cancelled"}

    heard = await send(site, asking("number", resume=[entry, "other", {"interruptId": 5}]))

    assert events_of(heard.body)[-1]["outcome"] == {"type": "cancelled"}


async def test_a_resume_of_nothing_that_is_known_starts_a_run(site: Actions) -> None:
    entry = {"interruptId": "9", "status": "resolved", "payload": 1}

    alone = await send(site, asking("say", resume=[entry]))
    other = await send(site, asking("say", resume=[entry]))

    runs = await site.app.find(Query(owner="alice"))
    assert len(runs) == 2
    assert events_of(alone.body)[-1]["outcome"] == events_of(other.body)[-1]["outcome"]


async def test_a_run_of_a_thread_is_read_and_stopped_by_its_owner_only() -> None:
    async with opened(agui_world(resumable=True)) as site:
        place = "/agui/wait/t/stream"
        async with stream(site, asking("wait")) as answer:
            await answer.read()
            stolen = await send(site, get(place, BOB))
            await send(site, Call(method="DELETE", target=place, headers=BOB))
            async with stream(site, get(place, ALICE)) as attached:
                begun = events_of(await attached.read())
                stopped = await send(site, Call(method="DELETE", target=place, headers=ALICE))
                ended = events_of(await attached.rest())
        (run,) = await site.app.find(Query(owner="alice"))
        await wait_for_end(site, run.id)
        over = await send(site, get(place, ALICE))

    assert (stolen.status, stopped.status, over.status) == (204, 204, 204)
    assert begun[0]["type"] == "RUN_STARTED"
    assert ended[-1]["outcome"] == {"type": "cancelled"}


async def test_an_open_question_interrupts_who_reads_the_run_again() -> None:
    async with opened(agui_world(resumable=True)) as site:
        await send(site, asking("number"))
        place = "/agui/number/t/stream"

        heard = await send(site, get(place, ALICE))

    assert events_of(heard.body)[-1]["outcome"]["type"] == "interrupt"


async def test_a_cut_answer_is_continued_after_any_event_also_behind_a_question() -> None:
    async with opened(agui_world(resumable=True)) as site:
        first = await send(site, asking("number"))
        (interrupt,) = events_of(first.body)[-1]["outcome"]["interrupts"]
        entry = {"interruptId": interrupt["id"], "status": "resolved", "payload": 7}
        second = await send(site, asking("number", resume=[entry]))

        for body, whole in (({}, first.body), ({"resume": [entry]}, second.body)):
            frames = whole.split(b"\n\n")[:-1]
            for index, frame in enumerate(frames, 1):
                place = frame.split(b"\n")[0].removeprefix(b"id: ").decode()
                call = asking("number", **body)
                call = replace(call, headers=[*call.headers, ("last-event-id", place)])
                rest = await send(site, call)
                if body:
                    assert rest.body.split(b"\n\n")[:-1] == frames[index:]
                else:  # the question has its answer by now
                    assert rest.status == 200


async def test_a_run_is_joined_by_the_id_that_the_client_gave_it() -> None:
    async with opened(agui_world(resumable=True)) as site:
        said = await send(site, asking("say", forwardedProps={"text": "ahoy"}))
        joined = await send(site, get("/agui/say?offset=-1&runId=r", ALICE))
        place = ("last-event-id", joined.body.split(b"\n")[0].removeprefix(b"id: ").decode())
        rest = await send(site, get("/agui/say?offset=-1&runId=r", [*ALICE, place]))
        stolen = await send(site, get("/agui/say?offset=-1&runId=r", BOB))

    assert joined.body == said.body
    assert len(events_of(rest.body)) == len(events_of(said.body)) - 1
    assert stolen.status == 204


@pytest.mark.parametrize(
    ("place", "status"),
    [("x", 400), ("x:y", 400), (":1", 400), ("r:1", 404), ("r:" + "9" * 99, 400)],
)
async def test_an_id_that_is_not_of_an_event_is_refused(place: str, status: int) -> None:
    async with opened(agui_world(resumable=True)) as site:
        call = asking("say")
        heard = await send(site, replace(call, headers=[*call.headers, ("last-event-id", place)]))

    assert heard.status == status


async def test_an_id_of_another_actions_run_is_refused() -> None:
    async with opened(agui_world(resumable=True)) as site:
        said = await send(site, asking("say"))
        place = said.body.split(b"\n")[0].removeprefix(b"id: ").decode()
        call = asking("add")
        heard = await send(site, replace(call, headers=[*call.headers, ("last-event-id", place)]))

    assert heard.status == 410
