import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.support.calls import Call, Fields, get, post, send, stream
from tests.support.runs import CountedStore
from tests.support.wire import Answer
from tests.support.world import ALICE, BOB, NOBODY, UNKNOWN, begun, ended, log_of, opened, world
from yieldwire import Actions, Context, Progress, RequestLimits, Result, Text, Timing
from yieldwire.log.run import Status, new_run_id
from yieldwire.testing.clock import MovingClock


def code_of(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json()["error"]["code"]


async def poll(site: Actions, run_id: str, query: str = "", *headers: tuple[str, str]) -> Answer:
    return await send(site, get(f"/runs/{run_id}{query}", [*ALICE, *headers]))


def telling() -> tuple[Actions, asyncio.Event]:
    """Return an application whose action `tell` continues when the event is set."""
    actions, go = world(), asyncio.Event()

    @actions.action
    async def tell() -> AsyncIterator[Text | Progress | Result[str]]:
        yield Text("a")
        yield Progress(1, total=2, message="half")
        await go.wait()
        yield Text("b")
        yield Result("ab")

    return actions, go


# The snapshot.


@pytest.mark.parametrize("kind", [["text"], {"text": 1}, None, 3, True])
async def test_an_action_can_put_anything_into_its_own_member_type(kind: object) -> None:
    actions = world()

    @actions.action
    async def tell() -> AsyncIterator[Text | dict[str, object]]:
        yield Text("a")
        yield {"type": kind, "text": "no"}
        yield Text("b")

    async with opened(actions) as site:
        read = await send(site, post("/tell", {}, [*ALICE, ("accept", "text/plain")]))
        snapshot = (await poll(site, read.headers["run-id"])).json()

    assert read.body == b"ab"
    assert (snapshot["status"], snapshot["text"]) == ("completed", "ab")


async def test_a_snapshot_says_all_of_a_run_that_continues() -> None:
    actions, _ = telling()
    async with opened(actions) as site:
        run_id = await begun(site, "tell")

        snapshot = (await poll(site, run_id)).json()

    times = [snapshot.pop(name) for name in ("createdAt", "startedAt", "endedAt")]
    assert snapshot == {
        "id": run_id,
        "action": "tell",
        "parent": None,
        "status": "running",
        "labels": [],
        "attempt": 1,
        "seq": 2,
        "firstSeq": 1,
        "progress": {
            "type": "progress",
            "current": 1,
            "total": 2,
            "message": "half",
            "percent": 50,
        },
        "text": "a",
        "chunk": snapshot["progress"],
        "result": None,
        "error": None,
        "questions": [],
        "cancelRequested": False,
        "detached": True,
        "waiting": None,
        "retryAfterMs": 500,
    }
    assert times[0].endswith("+00:00")
    assert times[2] is None


async def test_a_snapshot_of_an_ended_run_has_its_outcome_and_asks_for_no_more(
    site: Actions,
) -> None:
    done = (await poll(site, await ended(site, "send_tree", {"name": "x"}))).json()
    failed = (await poll(site, await ended(site, "fail", {"code": "REFUSED"}))).json()

    assert (done["status"], done["result"], done["error"]) == ("completed", "x", None)
    assert (failed["status"], failed["error"]["code"]) == ("failed", "REFUSED")
    assert done["retryAfterMs"] is failed["retryAfterMs"] is None
    assert done["endedAt"] is not None


@pytest.mark.parametrize("query", ["?input=1", "?after=0&input=true"])
async def test_the_owner_of_a_run_gets_its_input_if_it_asks_for_it(
    site: Actions, query: str
) -> None:
    run_id = await ended(site, "send_tree", {"name": "x"})

    asked, unasked = (await poll(site, run_id, query)).json(), (await poll(site, run_id)).json()

    assert asked["input"] == {"name": "x", "children": []}
    assert "input" not in unasked


async def test_an_anonymous_runs_input_is_not_shown(site: Actions) -> None:
    run_id = await ended(site, "send_tree", {"name": "x"}, headers=NOBODY)

    assert "input" not in (await send(site, get(f"/runs/{run_id}?input=1", NOBODY))).json()


async def test_the_longer_a_run_continues_the_less_often_it_is_asked_for() -> None:
    clock = MovingClock()
    async with opened(world(clock=clock)) as site:
        run_id = await begun(site)
        pauses = []
        for seconds in (0, 20, 20, 1000):
            clock.advance(seconds)
            pauses.append((await poll(site, run_id)).json()["retryAfterMs"])

    assert pauses == [500, 2000, 4000, 5000]


async def test_a_snapshot_behind_a_seq_has_the_events_instead_of_the_text(site: Actions) -> None:
    run_id = await ended(site, value={"times": 3})

    snapshot = (await poll(site, run_id, "?after=2")).json()

    text = {"type": "text", "text": "hello"}
    assert snapshot["events"] == [
        {"seq": 3, "type": "chunk", "data": text},
        {"seq": 4, "type": "done", "data": {}},
    ]
    assert "text" not in snapshot
    assert snapshot["cursor"] == f"{run_id}.4"


async def test_a_cursor_does_as_well_as_a_seq(site: Actions) -> None:
    run_id = await ended(site)

    by_seq, by_cursor = [
        (await poll(site, run_id, f"?after={after}")).json() for after in ("1", f"{run_id}.1")
    ]

    assert by_seq == by_cursor


async def test_a_poll_behind_a_seq_has_a_page_of_events_and_says_that_there_are_more(
    site: Actions,
) -> None:
    run_id = await ended(site, value={"times": 20, "text": "x" * 100_000})

    answer = await poll(site, run_id, "?after=0")

    polled = answer.json()
    assert len(answer.body) < 262_144 + 2 * 65_536 + 3 * 100_000
    assert 2 <= len(polled["events"]) < 8
    assert polled["cursor"] == f"{run_id}.{len(polled['events'])}"
    assert (polled["seq"], polled["retryAfterMs"]) == (21, 0)


async def test_polling_with_the_cursor_of_each_answer_gives_every_event_once(
    site: Actions,
) -> None:
    run_id = await ended(site, value={"text": "x" * 20_000, "times": 40})
    seqs, cursor = list[int](), f"{run_id}.0"

    while True:
        snapshot = (await poll(site, run_id, f"?after={cursor}")).json()
        seqs += [event["seq"] for event in snapshot["events"]]
        cursor = snapshot["cursor"]
        if snapshot["retryAfterMs"] is None:
            break
        assert snapshot["retryAfterMs"] == 0

    assert seqs == list(range(1, 42))


@pytest.mark.parametrize("after", ["x", "-1", "r.x"])
async def test_a_place_that_cannot_be_read_is_400(site: Actions, after: str) -> None:
    assert code_of(await poll(site, await ended(site), f"?after={after}")) == (400, "PARSE_ERROR")


@pytest.mark.parametrize("after", ["9", "r" + "x" * 20 + ".0"])
async def test_a_place_that_the_log_does_not_have_is_410(site: Actions, after: str) -> None:
    assert code_of(await poll(site, await ended(site), f"?after={after}")) == (410, "GONE")


@pytest.mark.parametrize("run_id", ["x" * 65, "a.b", "a%2Fb", "..", "%20", "r%00", "\u0661"])
async def test_what_is_not_a_run_id_is_not_a_run(site: Actions, run_id: str) -> None:
    assert code_of(await poll(site, run_id)) == (404, "NOT_FOUND")


# ETag.


async def test_what_has_not_changed_is_not_sent_again(site: Actions) -> None:
    run_id = await ended(site)
    etag = (await poll(site, run_id)).headers["etag"]

    for sent in (etag, f"W/{etag}", f'"other", {etag}'):
        answer = await poll(site, run_id, "", ("if-none-match", sent))

        assert (answer.status, answer.body) == (304, b"")
        assert answer.headers["etag"] == etag


async def test_the_etag_changes_with_every_event_and_every_status() -> None:
    actions, _ = telling()
    async with opened(actions) as site:
        run_id = await begun(site, "tell")
        etags = [(await poll(site, run_id)).headers["etag"]]
        await send(site, post(f"/runs/{run_id}/cancel", {}, ALICE))
        etags.append((await poll(site, run_id, "?after=2&wait=5")).headers["etag"])

    assert len(set(etags)) == 2


async def test_events_are_sent_whatever_the_etag_says(site: Actions) -> None:
    run_id = await ended(site)
    etag = (await poll(site, run_id)).headers["etag"]

    answer = await poll(site, run_id, "?after=0", ("if-none-match", etag))

    assert answer.status == 200


# Holding the answer.


@pytest.mark.parametrize("by", ["after", "etag"])
async def test_an_answer_is_held_until_there_is_something(by: str) -> None:
    actions, go = telling()
    async with opened(actions) as site:
        run_id = await begun(site, "tell")
        etag = (await poll(site, run_id)).headers["etag"]
        query = "?after=2&wait=60" if by == "after" else "?wait=60"

        async with asyncio.TaskGroup() as group:
            held = group.create_task(poll(site, run_id, query, ("if-none-match", etag)))
            for _ in range(50):  # turns of the loop, more than an answer at once would take
                await asyncio.sleep(0)
            was_held = not held.done()
            go.set()

        assert was_held

        assert held.result().status == 200
        assert held.result().json()["seq"] > 2


async def test_an_answer_is_held_no_longer_than_asked() -> None:
    async with opened(world()) as site:
        run_id = await begun(site)

        answer = await poll(site, run_id, "?after=1&wait=0.01")

    assert answer.json()["events"] == []


async def test_only_an_answer_that_is_held_counts_as_a_stream() -> None:
    async with opened(world(request_limits=RequestLimits(streams=1))) as site:
        run_id = await begun(site)
        async with stream(site, get(f"/runs/{run_id}/events", ALICE)):
            current = await poll(site, run_id, "?after=1&wait=60")
            behind = await poll(site, run_id, "?after=0&wait=60")

    assert code_of(current) == (429, "RATE_LIMITED")
    assert [event["seq"] for event in behind.json()["events"]] == [1]


async def test_a_held_poll_is_answered_when_a_question_opens_and_when_it_is_answered() -> None:
    actions, go = world(), asyncio.Event()

    @actions.action(asks=bool)
    async def publish(ctx: Context) -> AsyncIterator[Text]:
        yield Text("a")
        await go.wait()
        await ctx.ask(bool, "Publish this?")
        yield Text("b")

    async with opened(actions) as site:
        run_id = await begun(site, "publish")
        run = await site.app.runs.get(run_id)
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(poll(site, run_id, "?after=1&wait=60"))
            go.set()
            asked = (await asking).json()
            answering = group.create_task(poll(site, run_id, "?after=2&wait=60"))
            await run.answer("1", value=True)
            answered = (await answering).json()

    assert [each["type"] for each in asked["events"]] == ["question"]
    assert [each["prompt"] for each in asked["questions"]] == ["Publish this?"]
    assert answered["events"][0]["type"] == "answer"
    assert answered["questions"] == []


async def test_a_first_poll_is_answered_at_once(site: Actions) -> None:
    answer = await poll(site, await begun(site), "?wait=60")

    assert answer.status == 200


async def test_a_poll_of_an_ended_run_is_answered_at_once(site: Actions) -> None:
    answer = await poll(site, await ended(site), "?after=2&wait=60")

    assert answer.json()["events"] == []


@pytest.mark.parametrize("wait", ["x", "-1", "nan"])
async def test_a_wait_is_a_number(site: Actions, wait: str) -> None:
    assert code_of(await poll(site, await ended(site), f"?wait={wait}")) == (400, "PARSE_ERROR")


async def test_a_poller_is_a_reader_for_whom_an_attached_run_continues() -> None:
    clock = MovingClock()
    async with opened(world(clock=clock)) as site:
        async with stream(site, post("/wait", {}, ALICE)) as response:
            run_id = response.headers["run-id"]
            await response.read()
        statuses = []
        for _ in range(3):
            clock.advance(20)
            await site.app.sweep()
            statuses.append((await poll(site, run_id)).json()["cancelRequested"])
        clock.advance(31)
        await site.app.sweep()
        statuses.append((await poll(site, run_id)).json()["cancelRequested"])

    assert statuses == [False, False, False, True]


# Cancelling and forgetting.


async def test_cancelling_answers_the_snapshot_however_often(site: Actions) -> None:
    run_id = await begun(site)

    answers = [await send(site, post(f"/runs/{run_id}/cancel", {}, ALICE)) for _ in range(3)]

    assert [answer.status for answer in answers] == [200] * 3
    assert all(answer.json()["cancelRequested"] for answer in answers)


async def test_a_cancelled_run_ends_with_one_event_that_says_so(site: Actions) -> None:
    run_id = await begun(site)

    await send(site, post(f"/runs/{run_id}/cancel", {}, ALICE))
    snapshot = (await poll(site, run_id, "?after=1&wait=5")).json()

    assert snapshot["status"] == "cancelled"
    assert [kind for _, kind, _ in await log_of(site, run_id)] == ["chunk", "cancelled"]


async def test_cancelling_an_ended_run_changes_nothing(site: Actions) -> None:
    run_id = await ended(site)

    answer = await send(site, post(f"/runs/{run_id}/cancel", {}, ALICE))

    assert (answer.json()["status"], answer.json()["cancelRequested"]) == ("completed", False)


async def test_a_browsers_own_cancel_goes_back_to_the_page(site: Actions) -> None:
    run_id = await begun(site)
    headers = [*ALICE, ("accept", "text/html")]

    answer = await send(site, Call(method="POST", target=f"/runs/{run_id}/cancel", headers=headers))

    assert (answer.status, answer.headers["location"]) == (303, f"/runs/{run_id}")


# Cancelling a start by its key.

KEY = ("idempotency-key", "a-key-of-22-characters")


async def cancel_start(site: Actions, name: str, headers: Fields) -> Answer:
    return await send(site, post(f"/{name}/cancel", {}, [*headers, KEY]))


async def test_the_run_of_a_key_is_cancelled_by_the_key(site: Actions) -> None:
    async with stream(site, post("/wait", {}, [*ALICE, KEY])) as exchange:
        run_id = exchange.headers["run-id"]

        answers = [await cancel_start(site, "wait", ALICE) for _ in range(2)]

    assert [answer.status for answer in answers] == [200, 200]
    assert [answer.json()["runId"] for answer in answers] == [run_id, run_id]
    assert answers[0].headers["run-id"] == run_id
    snapshot = (await poll(site, run_id, "?after=1&wait=5")).json()
    assert (snapshot["status"], snapshot["cancelRequested"]) == ("cancelled", True)


async def test_a_start_that_comes_after_its_cancellation_is_refused(site: Actions) -> None:
    answer = await cancel_start(site, "say", ALICE)

    late = [await send(site, post("/say", {"times": n}, [*ALICE, KEY])) for n in (1, 1, 2)]
    listed = await send(site, get("/runs", ALICE))

    assert (answer.status, answer.json()) == (200, {"runId": None, "status": "cancelled"})
    assert "run-id" not in answer.headers
    assert [code_of(each) for each in late] == [(409, "CANCELLED")] * 3
    error = late[0].json()["error"]
    assert (error["data"], error["runId"]) == ({"reason": "requested"}, None)
    assert "before it arrived" in error["message"]
    assert listed.json()["runs"] == []


async def test_a_key_cancels_nothing_of_another_owner_or_action(site: Actions) -> None:
    headers = [*ALICE, KEY, ("prefer", "respond-async")]
    run_id = (await send(site, post("/wait", {}, headers))).headers["run-id"]

    for name, caller in (("wait", BOB), ("wait", NOBODY), ("say", ALICE)):
        answer = await cancel_start(site, name, caller)
        assert answer.json()["runId"] is None

    assert not (await poll(site, run_id)).json()["cancelRequested"]
    again = await send(site, post("/say", {}, [*BOB, KEY]))
    assert again.status == 200  # Bob has cancelled a start of another action


async def test_an_ended_run_stays_as_it_is_when_its_key_is_cancelled(site: Actions) -> None:
    started = await send(site, post("/say", {}, [*ALICE, KEY]))

    answer = await cancel_start(site, "say", ALICE)

    assert answer.json() == {"runId": started.headers["run-id"], "status": "completed"}


async def test_a_start_is_cancelled_by_the_alias_of_its_action_too(site: Actions) -> None:
    await cancel_start(site, "sendTree", ALICE)

    late = await send(site, post("/send_tree", {"name": "a"}, [*ALICE, KEY]))

    assert code_of(late) == (409, "CANCELLED")


async def test_a_feed_of_ones_own_is_cancelled_by_its_key(site: Actions) -> None:
    await cancel_start(site, "tick", ALICE)

    late = await send(site, get("/tick", [*ALICE, KEY]))

    assert code_of(late) == (409, "CANCELLED")


async def test_a_feed_that_all_readers_share_is_cancelled_by_no_key() -> None:
    actions = world()

    @actions.feed(shared=True)
    async def news() -> AsyncIterator[int]:
        yield 1
        await asyncio.Event().wait()

    async with (
        opened(actions) as site,
        stream(site, get("/news", [*ALICE, KEY])) as exchange,
    ):
        answer = await cancel_start(site, "news", ALICE)
        snapshot = (await poll(site, exchange.headers["run-id"])).json()

    assert code_of(answer) == (403, "FORBIDDEN")
    assert not snapshot["cancelRequested"]


@pytest.mark.parametrize(
    ("name", "headers", "code"),
    [
        ("say", [*ALICE], (400, "PARSE_ERROR")),
        ("say", [*ALICE, ("idempotency-key", "")], (400, "PARSE_ERROR")),
        ("say", [*ALICE, ("idempotency-key", "k" * 256)], (400, "PARSE_ERROR")),
        ("say", [("idempotency-key", "short")], (400, "PARSE_ERROR")),
        ("nothing", [*ALICE, KEY], (404, "NOT_FOUND")),
        ("say", [*UNKNOWN, KEY], (401, "UNAUTHORIZED")),
        ("say", [*ALICE, KEY, ("origin", "https://evil.example")], (403, "FORBIDDEN")),
        ("say", [*ALICE, KEY, ("sec-fetch-site", "cross-site")], (403, "FORBIDDEN")),
    ],
)
async def test_what_cannot_start_cannot_cancel_a_start(
    site: Actions, name: str, headers: list[tuple[str, str]], code: tuple[int, str]
) -> None:
    answer = await send(site, post(f"/{name}/cancel", {}, headers))

    assert code_of(answer) == code
    late = await send(site, post("/say", {}, [*ALICE, KEY]))
    assert late.status == 200


async def test_a_cancelled_start_is_refused_for_as_long_as_a_run_would_be_kept() -> None:
    clock = MovingClock()
    async with opened(world(clock=clock)) as site:
        await cancel_start(site, "say", ALICE)
        clock.advance(3_590.0)
        await site.app.sweep()
        before = await send(site, post("/say", {}, [*ALICE, KEY]))
        clock.advance(20.0)
        await site.app.sweep()
        after = await send(site, post("/say", {}, [*ALICE, KEY]))

    assert (before.status, after.status) == (409, 200)


async def test_an_ended_run_is_forgotten_with_its_log(site: Actions) -> None:
    run_id = await ended(site)

    answer = await send(site, Call(method="DELETE", target=f"/runs/{run_id}", headers=ALICE))

    assert (answer.status, answer.body) == (204, b"")
    assert code_of(await poll(site, run_id)) == (404, "NOT_FOUND")
    assert (await send(site, get("/runs", ALICE))).json()["runs"] == []


async def test_a_run_that_continues_is_not_forgotten(site: Actions) -> None:
    run_id = await begun(site)

    answer = await send(site, Call(method="DELETE", target=f"/runs/{run_id}", headers=ALICE))

    assert code_of(answer) == (409, "CONFLICT")


# Lists.


async def listed(
    site: Actions, query: str = "", headers: Fields = ALICE
) -> tuple[list[str], str | None]:
    answer = (await send(site, get(f"/runs{query}", headers))).json()
    return [run["id"] for run in answer["runs"]], answer["next"]


async def test_the_anonymous_have_no_list(site: Actions) -> None:
    await ended(site, headers=NOBODY)

    assert code_of(await send(site, get("/runs"))) == (401, "UNAUTHORIZED")


async def test_where_nobody_can_sign_in_the_list_does_not_ask_for_it() -> None:
    async with opened(Actions()) as site:
        answer = await send(site, get("/runs"))

    assert code_of(answer) == (401, "UNAUTHORIZED")
    assert "has no `identify`" in answer.json()["error"]["message"]


async def test_a_list_has_the_newest_first_page_by_page(site: Actions) -> None:
    runs = [await ended(site) for _ in range(5)]
    await ended(site, headers=BOB)

    first, following = await listed(site, "?limit=2")
    second, after_that = await listed(site, f"?limit=2&before={following}")
    last, end = await listed(site, f"?limit=2&before={after_that}")

    assert first + second + last == runs[::-1]
    assert end is None


async def test_a_page_that_is_just_full_is_the_last(site: Actions) -> None:
    for _ in range(2):
        await ended(site)

    assert (await listed(site, "?limit=2"))[1] is None


async def test_a_list_is_narrowed_by_status_action_and_label(site: Actions) -> None:
    said, summed = await ended(site), await ended(site, "add", {"a": 1, "b": 2})
    failed, going = await ended(site, "fail", {"code": "X"}), await begun(site)

    assert (await listed(site, "?status=failed"))[0] == [failed]
    assert (await listed(site, "?status=running"))[0] == [going]
    assert (await listed(site, "?action=say&status=completed"))[0] == [said]
    assert (await listed(site, "?label=sums"))[0] == [summed]
    assert (await listed(site, "?label=none"))[0] == []
    assert (await listed(site, "?status=&action=&label="))[0] == [going, failed, summed, said]


async def test_a_list_has_the_children_of_one_run_for_their_owner_only() -> None:
    actions = world()
    say = actions.app.registry.action_named("say")

    @actions.action
    async def say_twice(ctx: Context) -> None:
        for _ in range(2):
            await ctx.run(say, {}).result()

    async with opened(actions) as site:
        run_id = await ended(site, "say_twice")
        children, _ = await listed(site, f"?parent={run_id}")
        parents = [(await poll(site, child)).json()["parent"] for child in children]

        assert parents == [run_id, run_id]
        assert await listed(site, f"?parent={run_id}", BOB) == ([], None)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "limit=-1", "limit=x", "limit=1e2", "status=x", "status=DONE"]
)
async def test_a_list_that_cannot_be_made_is_400(site: Actions, query: str) -> None:
    assert code_of(await send(site, get(f"/runs?{query}", ALICE))) == (400, "PARSE_ERROR")


async def test_a_page_before_an_unknown_run_is_empty(site: Actions) -> None:
    await ended(site)

    assert (await listed(site, f"?before={new_run_id()}"))[0] == []


async def test_a_listed_run_says_what_a_snapshot_says_first(site: Actions) -> None:
    run_id = await ended(site)
    (run,) = (await send(site, get("/runs", ALICE))).json()["runs"]
    snapshot = (await poll(site, run_id)).json()

    assert run.items() <= snapshot.items()
    assert run["status"] == Status.COMPLETED


async def test_waiting_is_cut_where_the_timing_says() -> None:
    async with opened(world(timing=Timing(max_wait=0.01, grace=0.0))) as site:
        answer = await poll(site, await begun(site), "?after=1&wait=9999")

    assert answer.json()["events"] == []


async def test_a_run_of_a_bad_label_is_not_started_and_its_caller_is_told_an_id_only() -> None:
    async def put_on(ctx: Context) -> None:
        ctx.labels.append("fine\n" if ctx.owner == "alice" else "fine")

    async with opened(world(guards=[put_on])) as site:
        refused = await send(site, post("/say", {}, ALICE))
        await ended(site, headers=BOB)
        lists = [await listed(site, "?label=fine", headers) for headers in (ALICE, BOB)]

    assert code_of(refused) == (500, "INTERNAL_ERROR")
    assert [len(runs) for runs, _ in lists] == [0, 1]


@pytest.mark.parametrize("label", ["none", "sums%00", "%ff", "'", "%25", "x" * 5_000])
async def test_a_list_by_a_label_that_no_run_has_is_empty(site: Actions, label: str) -> None:
    await send(site, post("/add", {"a": 1, "b": 2}, ALICE))

    assert await listed(site, f"?label={label}") == ([], None)


async def test_a_poll_writes_nothing_about_a_run_that_needs_no_readers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []

    async def hold(run_id: str, _reader: str, *, seconds: float) -> None:
        told.append(f"{run_id} {seconds}")

    async with opened(world()) as site:
        run_ids = [await begun(site), await ended(site)]
        monkeypatch.setattr(site.app.store, "hold", hold)
        for run_id in run_ids:
            for query in ("", "?after=0", "?after=1&wait=0.01"):
                await poll(site, run_id, query)

    assert told == []


@pytest.mark.parametrize("query", ["", "?after=0", "?after=1", "?after=1&wait=0.001"])
async def test_polls_of_a_run_that_needs_readers_do_not_write_each(query: str) -> None:
    store = CountedStore()
    async with opened(world(store=store)) as site:
        async with stream(site, post("/wait", {}, ALICE)) as response:
            await response.read()
        before = store.holds
        for _ in range(40):
            await poll(site, response.headers["run-id"], query)

        assert 1 <= store.holds - before <= 2


async def test_a_run_for_which_a_poll_waited_is_stopped_when_nobody_polls_any_more() -> None:
    clock = MovingClock()
    async with opened(world(clock=clock)) as site:
        async with stream(site, post("/wait", {}, ALICE)) as response:
            await response.read()
        run_id = response.headers["run-id"]
        await poll(site, run_id, "?after=1&wait=0.001")
        reasons = []
        for seconds in (7.0, 1.0, 29.0, 2.0):
            clock.advance(seconds)
            await site.app.sweep()
            reasons.append((await site.app.store.get(run_id)).cancel_reason)

    assert reasons == [None, None, None, "unattended"]
