"""What a dialect can do about one request."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from tests.dialects.test_fictive import ParrotEncoder
from tests.support.calls import Call, Fields, get, post, send
from tests.support.world import ALICE, BOB, NOBODY, ended, opened, world
from yieldwire import Actions
from yieldwire.dialects import Dialect, ForeignCall, Head, Reply
from yieldwire.errors import ErrorObject, Json

Do = Callable[[ForeignCall], Awaitable[object]]


class Doing(Dialect):
    """Does what a test says, and answers with what came of it."""

    methods = ("GET", "POST")

    def __init__(self, actions: Actions, do: Do) -> None:
        super().__init__(actions)
        self._do = do

    async def answer(self, call: ForeignCall) -> None:
        done = await self._do(call)
        await call.reply(Reply(body=repr(done).encode(), headers=[("X-Done", "yes")]))

    def refusal(self, head: Head, error: ErrorObject) -> Reply:
        return Reply(status=error.status, body=f"{error.code}: {error.message}".encode())


@pytest.fixture
async def actions() -> AsyncIterator[Actions]:
    async with opened(world()) as site:
        yield site


async def done(actions: Actions, do: Do, call: Call | None = None) -> str:
    answer = await send(Doing(actions, do), call or post("/", {}, ALICE))
    return answer.body.decode()


async def said(text: str) -> Json:
    return {"text": text}


async def test_the_head_of_a_request_is_known_before_its_body(actions: Actions) -> None:
    async def look(call: ForeignCall) -> object:
        head = call.head
        return head.method, head.path, head.query, head.cookies, head.headers["x-own"]

    headers: Fields = [("cookie", "a=1; b=2"), ("x-own", "here")]

    assert await done(actions, look, get("/a/b/?x=1&x=&y=%C3%A9", headers)) == repr(
        ("GET", "a/b", [("x", "1"), ("x", ""), ("y", "é")], {"a": "1", "b": "2"}, "here")
    )


async def test_the_newest_run_with_a_label_is_the_callers_own(actions: Actions) -> None:
    def start(label: str) -> Do:
        async def do(call: ForeignCall) -> object:
            action = call.action("say")
            return (await call.start(action, lambda: said("hi"), labels=[label])).id

        return do

    async def find(call: ForeignCall) -> object:
        run = await call.newest(call.action("say"), "chat:1")
        return run and run.id

    first, second = [await done(actions, start("chat:1")) for _ in range(2)]
    await done(actions, start("chat:2"))

    assert await done(actions, find) == second != first
    for headers in (BOB, NOBODY):
        assert await done(actions, find, post("/", {}, headers)) == "None"


async def test_a_label_that_cannot_be_one_is_refused(actions: Actions) -> None:
    async def start(call: ForeignCall) -> object:
        return await call.start(call.action("say"), lambda: said("hi"), labels=["\n"])

    assert (await done(actions, start)).startswith("PARSE_ERROR: This cannot identify a run")


@pytest.mark.parametrize(("headers", "told"), [(BOB, "FORBIDDEN"), (NOBODY, "UNAUTHORIZED")])
async def test_a_run_is_read_and_stopped_by_its_owner_only(
    actions: Actions, headers: Fields, told: str
) -> None:
    run_id = await ended(actions)

    async def read(call: ForeignCall) -> object:
        return await call.run(run_id)

    async def stop(call: ForeignCall) -> object:
        return await call.cancel(run_id)

    for do in (read, stop):
        assert (await done(actions, do, post("/", {}, headers))).startswith(told)
        assert run_id in await done(actions, do)


async def test_frames_of_a_run_are_counted(actions: Actions) -> None:
    run_id = await ended(actions, "say", {"times": 3})

    async def count(call: ForeignCall) -> object:
        return await call.count(await call.run(run_id), ParrotEncoder())

    assert await done(actions, count) == "4"


async def test_the_headers_of_a_reply_are_added_to_the_usual_ones(actions: Actions) -> None:
    async def nothing(call: ForeignCall) -> object:
        call.add_header("X-More", "too")
        return None

    answer = await send(Doing(actions, nothing), post("/", {}, ALICE))

    assert (answer.headers["x-done"], answer.headers["x-more"]) == ("yes", "too")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "no-store" in answer.headers["cache-control"]


async def test_a_head_request_does_nothing(actions: Actions) -> None:
    async def fail(call: ForeignCall) -> object:
        raise AssertionError

    answer = await send(Doing(actions, fail), Call(method="HEAD", target="/", headers=ALICE))

    assert (answer.status, answer.body) == (200, b"")


async def test_runs_with_a_label_are_listed_page_by_page(actions: Actions) -> None:
    async def start(call: ForeignCall) -> object:
        action = call.action("say")
        return (await call.start(action, lambda: said("hi"), labels=["chat:1"])).id

    async def pages(call: ForeignCall) -> object:
        first = await call.runs("chat:1", limit=2)
        rest = await call.runs("chat:1", before=first[-1].id)
        other = await call.runs("chat:1", action=call.action("add"))
        return [run.id for run in (*first, *rest, *other)]

    ids = [await done(actions, start) for _ in range(3)]

    assert await done(actions, pages) == f"[{', '.join(ids[::-1])}]"


async def test_the_state_and_the_log_of_a_run_are_read(actions: Actions) -> None:
    run_id = await ended(actions, "say", {"text": "ahoy"})

    async def read(call: ForeignCall) -> object:
        run = await call.run(run_id)
        blocks = [block async for block in call.log(run)]
        return (await call.snapshot(run))["status"], sum(block.size for block in blocks)

    assert await done(actions, read) == repr(("completed", 2))


async def test_a_run_can_continue_without_readers(actions: Actions) -> None:
    async def start(call: ForeignCall) -> object:
        run = await call.start(call.action("say"), lambda: said("hi"), linger=0.0, detached=True)
        return run.detached

    assert await done(actions, start) == "True"


async def test_the_actions_are_those_that_can_be_called(actions: Actions) -> None:
    async def look(call: ForeignCall) -> object:
        return [action.name for action in call.actions]

    every = await done(actions, look)

    assert "'say'" in every
    assert "'add'" in every


async def test_an_error_of_one_request_can_be_told_in_its_own_way(actions: Actions) -> None:
    async def fail(call: ForeignCall) -> object:
        call.refuse_by(lambda error: Reply(status=200, body=f"mine: {error.code}".encode()))
        return call.action("nothing")

    assert await done(actions, fail) == "mine: NOT_FOUND"
    assert (await done(actions, lambda call: call.run("r1"))).startswith("NOT_FOUND")


async def test_a_page_of_a_log_has_what_is_behind_a_place(actions: Actions) -> None:
    run_id = await ended(actions, "say", {"times": 3})

    async def page(call: ForeignCall) -> object:
        run, blocks = await call.page(await call.run(run_id), 2)
        return run.seq, [(block.first, block.last) for block in blocks]

    assert await done(actions, page) == "(4, [(3, 4)])"


async def test_a_run_is_stopped_before_it_is_deleted(actions: Actions) -> None:
    async def delete(call: ForeignCall) -> object:
        run = await call.start(call.action("wait"), dict_of_nothing)
        await call.delete(run)
        return await call.run(run.id)

    assert (await done(actions, delete)).startswith("NOT_FOUND")


async def dict_of_nothing() -> Json:
    return {}
