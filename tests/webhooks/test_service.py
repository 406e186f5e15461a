"""A whole application: from the end of a run to a receiver that verifies what it was told."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import contextmanager
from itertools import chain, repeat
from pathlib import Path
from threading import Condition
from typing import Any

import httpx2
import pytest
from standardwebhooks import Webhook as Verifier
from starlette.types import Receive, Scope, Send

from tests.support.receiver import SECRET
from tests.support.server import ProcessServer, ThreadServer
from yieldwire import Actions, Context, NotFound, Timing
from yieldwire.client import AsyncClient
from yieldwire.errors import Forbidden, MissingDependency, ParseError, StoreError, YieldwireError
from yieldwire.log.delivery import Delivery
from yieldwire.log.run import RunRecord
from yieldwire.stores import Query
from yieldwire.stores.memory import MemoryStore
from yieldwire.stores.sqlite import SQLiteStore
from yieldwire.testing.transport import http_of
from yieldwire.webhooks import Webhook

SOON = 30.0
HOST = "http://localhost"


class Receiver:
    """An ASGI application that receives webhooks, and answers with these statuses, then 204."""

    def __init__(self, *answers: int) -> None:
        self._answers = chain(answers, repeat(204))
        self._came = Condition()
        self.told: list[tuple[str, Any]] = []
        """The id and the verified payload of each request."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        payload = Verifier(SECRET).verify(body, headers)
        await send({"type": "http.response.start", "status": next(self._answers), "headers": []})
        await send({"type": "http.response.body", "body": b""})
        with self._came:
            self.told.append((headers["webhook-id"], payload))
            self._came.notify_all()

    def wait_for(self, count: int) -> list[tuple[str, Any]]:
        """Return the first ``count`` requests when they have come."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.told) >= count, SOON)
        return self.told[:count]

    async def first(self, count: int) -> list[tuple[str, Any]]:
        """Return the same without blocking the loop."""
        return await asyncio.to_thread(self.wait_for, count)


@contextmanager
def received(*answers: int) -> Generator[tuple[Receiver, str]]:
    """Serve a receiver, and give its URL."""
    receiver = Receiver(*answers)
    with ThreadServer(receiver) as server:
        yield receiver, f"{server.url}/hook"


async def application(**settings: Any) -> Actions:  # noqa: ANN401 - the application's own settings
    # As at import: an application with webhooks reads the machine's trusted certificates.
    actions = await asyncio.to_thread(Actions, **settings)

    @actions.action(labels=("sums",))
    async def double(n: int) -> int:
        return 2 * n

    @actions.action
    async def fail() -> None:
        raise NotFound("There is no row 5.")

    @actions.action
    async def wait() -> AsyncIterator[str]:
        yield "waiting"
        await asyncio.Event().wait()

    @actions.action(asks=bool)
    async def approve(ctx: Context) -> bool:
        return await ctx.ask(bool, "Publish?")

    return actions


def hook(url: str, **options: Any) -> Webhook:  # noqa: ANN401 - a webhook's own options
    return Webhook(url, SECRET, allow_private=True, **options)


async def start(actions: Actions, name: str, **input: object) -> Any:  # noqa: ANN401 - a run
    return await actions.start(actions.app.registry.action_named(name), input)


async def test_the_end_of_each_run_is_told_and_verified() -> None:
    with received() as (receiver, url):
        actions = await application(webhooks=[hook(url)], timing=Timing(sweep_every=600.0))
        async with actions.lifespan():
            done = await start(actions, "double", n=4)
            await receiver.first(1)
            failed = await start(actions, "fail")
            await receiver.first(2)
            stopped = await start(actions, "wait")
            await stopped.cancel()
            told = await receiver.first(3)

    by_run = {payload["data"]["id"]: payload for _, payload in told}
    assert {payload["type"] for payload in by_run.values()} == {"run.ended"}
    sum_, error, stop = (by_run[run.id]["data"] for run in (done, failed, stopped))
    assert (sum_["status"], sum_["result"], sum_["labels"]) == ("completed", 8, ["sums"])
    assert (error["status"], error["error"]["code"]) == ("failed", "NOT_FOUND")
    assert (stop["status"], stop["error"]["code"]) == ("cancelled", "CANCELLED")


def test_a_delivery_survives_the_restart_of_its_server(tmp_path: Path) -> None:
    env = {"RUNS_FILE": str(tmp_path / "runs.db"), "HTTP_PROXY": "http://127.0.0.1:1"}
    with received(500, 500, 503) as (receiver, url):
        env["HOOK_URL"] = url
        with ProcessServer("tests.support.hooked:actions", tmp_path / "first.log", env) as server:
            answer = httpx2.post(f"{server.url}/double", json={"n": 4}, timeout=SOON)
            assert answer.json()["result"] == 8
            receiver.wait_for(2)
        seen = len(receiver.told)
        with ProcessServer("tests.support.hooked:actions", tmp_path / "second.log", env):
            told = receiver.wait_for(4)

    assert seen >= 2
    assert {id_ for id_, _ in told} == {f"{answer.json()['runId']}_1"}
    assert told[-1][1]["data"]["result"] == 8


def adas(url: str) -> Callable[[str | None, str], Webhook | None]:
    return lambda owner, named: hook(named) if owner == "ada" and named == url else None


async def who(request: Any) -> str | None:  # noqa: ANN401 - a Starlette request
    return request.headers.get("x-user")  # type: ignore[no-any-return]


async def test_a_start_over_http_can_name_a_webhook_that_is_allowed() -> None:
    with received() as (receiver, url):
        actions = await application(webhook_for=adas(url), identify=who)
        async with actions.lifespan(), http_of(actions) as client:
            answers = [
                await client.post(
                    "http://localhost/double",
                    json={"n": 4},
                    headers={"x-user": user, "webhook-url": named},
                )
                for user, named in [
                    ("ben", url),
                    ("ada", url + "2"),
                    ("ada", "no url"),
                    ("ada", url),
                ]
            ]
            ((id_, payload),) = await receiver.first(1)
            kept = await actions.runs.find(Query(everyone=True))

    assert [answer.status_code for answer in answers] == [403, 403, 400, 200]
    assert [run.id for run in kept] == [answers[-1].json()["runId"]]
    assert id_ == f"{kept[0].id}_1"
    assert payload["data"]["id"] == kept[0].id


async def test_python_and_its_client_can_name_a_webhook_that_is_allowed() -> None:
    with received() as (receiver, url):
        actions = await application(webhook_for=adas(url), identify=who)
        double, user = actions.app.registry.action_named("double"), {"x-user": "ada"}
        async with http_of(actions) as http, AsyncClient(HOST, http=http, headers=user) as client:
            here = await actions.start.with_options(owner="ada", webhook=url)(double, {"n": 1})
            there = await client.start("double", {"n": 2}, webhook=url)
            assert await client.call("double", {"n": 3}, webhook=url) == 6
            told = await receiver.first(3)

    by_run = {payload["data"]["id"]: payload["data"]["result"] for _, payload in told}
    assert (by_run[here.id], by_run[there.id]) == (2, 4)
    assert sorted(by_run.values()) == [2, 4, 6]


@pytest.mark.parametrize(
    ("named", "error", "message"),
    [
        ("https://elsewhere.example", Forbidden, "not allowed to have a webhook sent to this URL"),
        ("ftp://a.example", ParseError, "The webhook's URL cannot be used"),
    ],
)
async def test_a_webhook_that_is_refused_is_the_same_error_everywhere(
    named: str, error: type[YieldwireError], message: str
) -> None:
    actions = await application(webhook_for=adas("https://a.example"), identify=who)
    double = actions.app.registry.action_named("double")

    async with http_of(actions) as http, AsyncClient(HOST, http=http) as client:
        with pytest.raises(error, match=message):
            await actions.start(double, {"n": 1}, owner="ada", webhook=named)
        with pytest.raises(error, match=message):
            await client.start("double", {"n": 1}, webhook=named)
        assert await actions.runs.find(Query(everyone=True)) == []


async def test_no_reader_of_a_shared_feed_can_name_a_webhook() -> None:
    actions = await application(webhook_for=lambda _owner, url: hook(url))

    @actions.feed(shared=True)
    async def prices() -> AsyncIterator[int]:
        yield 1

    async with actions.lifespan(), http_of(actions) as client:
        headers = {"webhook-url": "https://a.example"}
        answer = await client.get("http://localhost/prices", headers=headers)

    assert answer.status_code == 400
    assert "All readers share the run of this feed" in answer.json()["error"]["message"]


async def test_an_action_does_not_see_where_its_caller_wants_to_be_told() -> None:
    seen = dict[str, str]()

    with received() as (receiver, url):

        async def look(ctx: Context) -> None:
            seen.update(ctx.request.headers)

        actions = await application(webhook_for=adas(url), identify=who, guards=[look])

        async with actions.lifespan(), http_of(actions) as client:
            await client.post(
                "http://localhost/double",
                json={"n": 4},
                headers={"x-user": "ada", "webhook-url": url},
            )
            await receiver.first(1)

    assert seen["x-user"] == "ada"
    assert "webhook-url" not in seen


class Settling(MemoryStore):
    """Says when the first try was settled."""

    def __init__(self) -> None:
        super().__init__()
        self.settled = asyncio.Event()

    async def settle(
        self, delivery: Delivery, *, failure: str | None = None, again_in: float | None = None
    ) -> None:
        await super().settle(delivery, failure=failure, again_in=again_in)
        self.settled.set()


async def test_dead_letters_are_told_and_can_be_sent_again() -> None:
    with received(410) as (receiver, url):
        store, timing = Settling(), Timing(sweep_every=600.0)
        actions = await application(store=store, webhooks=[hook(url)], timing=timing)
        async with actions.lifespan():
            run = await start(actions, "double", n=4)
            await receiver.first(1)
            async with asyncio.timeout(SOON):
                await store.settled.wait()
            dead = await actions.app.webhooks.dead_letters()
            await actions.app.webhooks.send_again(dead[0])
            told = await receiver.first(2)

    assert [(each.run_id, each.failure) for each in dead] == [(run.id, "HTTP 410")]
    assert {id_ for id_, _ in told} == {dead[0].id}


async def test_a_question_is_told_when_it_is_asked() -> None:
    with received() as (receiver, url):
        timing = Timing(sweep_every=600.0)
        actions = await application(webhooks=[hook(url, events={"question"})], timing=timing)
        async with actions.lifespan():
            run = await start(actions, "approve")
            ((id_, payload),) = await receiver.first(1)
            await run.answer("1", value=True)
            assert await run.result() is True

    assert id_ == f"{run.id}_1"
    assert payload["type"] == "run.question"
    question = payload["data"]["question"]
    assert (question["id"], question["prompt"]) == ("1", "Publish?")
    assert len(receiver.told) == 1


def test_a_question_is_told_if_its_process_is_killed_right_after_it(tmp_path: Path) -> None:
    env = {"RUNS_FILE": str(tmp_path / "runs.db"), "KILLED_BY": "question"}
    with received() as (receiver, url):
        env["HOOK_URL"] = url
        with ProcessServer("tests.support.hooked:actions", tmp_path / "first.log", env) as server:
            with pytest.raises(httpx2.HTTPError, match=r"disconnected|reset|closed"):
                httpx2.post(f"{server.url}/approve", timeout=SOON)
            assert server.process.wait(SOON) == -signal.SIGKILL
        assert receiver.told == []
        env["KILLED_BY"] = ""
        with ProcessServer("tests.support.hooked:actions", tmp_path / "second.log", env):
            ((_, payload),) = receiver.wait_for(1)

    assert payload["type"] == "run.question"
    assert payload["data"]["question"]["prompt"] == "Publish?"


async def test_the_url_of_a_start_is_told_only_what_its_webhook_wants() -> None:
    def webhook_for(_owner: str | None, url: str) -> Webhook:
        return hook(url, events={"question"})

    with received() as (receiver, url):
        actions = await application(webhook_for=webhook_for)
        async with actions.lifespan(), http_of(actions) as client:
            headers = {"webhook-url": url}
            await client.post("http://localhost/double", json={"n": 4}, headers=headers)
            (run,) = await actions.runs.find(Query(everyone=True))
            due = await actions.app.store.due(limit=1, lease=1.0)

    assert (run.webhooks, run.question_webhooks) == ((), (url,))
    assert (receiver.told, [*due]) == ([], [])


async def test_a_private_address_is_refused_by_default() -> None:
    with received() as (receiver, url):
        store = Settling()
        actions = await application(store=store, webhooks=[Webhook(url, SECRET, schedule=[])])
        async with actions.lifespan():
            await (await start(actions, "double", n=4)).result()
            async with asyncio.timeout(SOON):
                await store.settled.wait()
            dead = await actions.app.webhooks.dead_letters()

    assert receiver.told == []
    assert "a private one needs allow_private=True" in (dead[0].failure or "")


def test_webhooks_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx2", None)

    with pytest.raises(MissingDependency, match=r"Sending webhooks .* 'yieldwire\[client\]'"):
        Actions(webhooks=[hook("https://a.example")])


async def test_an_application_without_webhooks_asks_its_store_for_none(tmp_path: Path) -> None:
    class Asked(SQLiteStore):
        async def due(self, **_: Any) -> Any:  # noqa: ANN401 - never called
            raise StoreError("nobody should ask")

    actions = await application(store=Asked(tmp_path / "runs.db"), timing=Timing(sweep_every=0.01))
    async with actions.lifespan():
        run = await start(actions, "double", n=4)
        assert await run.result() == 8
        await actions.app.sweep()
        record: RunRecord = await actions.app.store.get(run.id)

    assert record.webhooks == ()
