"""Events that reach a waiting reader: from where they are appended, or from the response's task."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from contextvars import ContextVar
from typing import Any

import pytest
from starlette.types import Message

from tests.support.calls import post, uvicorns_own
from tests.support.runs import SOON
from tests.support.virtual import run_virtually
from tests.support.world import opened, world
from yieldwire import Actions, Text, Timing
from yieldwire.asgi.exchange import BrokenOff
from yieldwire.log.run import Status
from yieldwire.stores import Query

WHO: ContextVar[str] = ContextVar("who", default="nobody")
QUIET = Timing(head_wait=SOON, grace=0.0)


class Paced:
    """An application whose action `count` yields when told to, and one client of it."""

    def __init__(self, timing: Timing = QUIET) -> None:
        self.actions: Actions = world(timing=timing)
        self.go = asyncio.Semaphore(0)
        self.bodies: list[bytes] = []
        self.senders: list[tuple[str, str]] = []
        self.arrived = asyncio.Event()
        self.on_body: Callable[[int], Any] = lambda _: None
        self.run_task = ""

        @self.actions.action
        async def count(upto: int = 5) -> AsyncIterator[Text]:
            task = asyncio.current_task()
            self.run_task = "" if task is None else task.get_name()
            for number in range(1, upto + 1):
                await self.go.acquire()
                yield Text(str(number))

    async def send(self, message: Message) -> None:
        """Take what the application sends."""
        if message["type"] != "http.response.body":
            return
        task = asyncio.current_task()
        self.senders.append((WHO.get(), "" if task is None else task.get_name()))
        self.bodies.append(message["body"])
        waits = self.on_body(len(self.bodies))
        if waits is not None:
            await waits
        self.arrived.set()

    async def receive(self) -> Message:
        if not self._is_asked:
            self._is_asked = True
            return {"type": "http.request", "body": post("/count", {}).body[0]}
        await asyncio.Event().wait()
        raise AssertionError

    _is_asked = False

    async def answer(self) -> None:
        """Send the request, and end with the answer."""
        WHO.set("the request")
        await self.actions(post("/count", {}).scope(), self.receive, self.send)

    async def step(self) -> None:
        """Let one more event be made, and wait until its bytes are there."""
        self.arrived.clear()
        self.go.release()
        async with asyncio.timeout(SOON):
            await self.arrived.wait()
        await asyncio.sleep(0)  # the sender continues


class Served(Paced):
    """The same, whose `send` is known to be a server's own."""

    send = uvicorns_own(Paced.send)


@pytest.fixture(params=[Paced, Served])
def kind(request: pytest.FixtureRequest) -> type[Paced]:
    made: type[Paced] = request.param
    return made


async def test_a_response_is_sent_in_its_own_task_where_send_can_be_a_middlewares() -> None:
    client = Paced()
    async with opened(client.actions), asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        answer = group.create_task(client.answer(), name="answer")
        for _ in range(5):
            await client.step()
        await answer

    assert {name for _, name in client.senders} == {"answer"}


async def test_events_of_a_waiting_reader_are_sent_from_where_they_are_appended() -> None:
    client = Served()
    async with opened(client.actions), asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        answer = group.create_task(client.answer(), name="answer")
        for _ in range(5):
            await client.step()
        await answer

    by = [name for _, name in client.senders]
    # The first event goes with the head, and the last one with the end.
    assert by == ["answer", *[client.run_task] * 3, "answer"]
    assert b"".join(client.bodies).count(b"data: {") == 5 + 2  # the run's frame, and its end


async def test_what_is_sent_so_sees_the_requests_own_context(kind: type[Paced]) -> None:
    client = kind()
    async with opened(client.actions), asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        group.create_task(client.answer())
        for _ in range(5):
            await client.step()

    assert {who for who, _ in client.senders} == {"the request"}


async def test_a_send_that_waits_is_ended_by_the_answers_own_task_and_holds_nobody_up(
    kind: type[Paced],
) -> None:
    client, room = kind(), asyncio.Event()
    client.on_body = lambda number: room.wait() if number == 2 else None
    async with opened(client.actions), asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        answer = group.create_task(client.answer())
        await client.step()
        for _ in range(4):
            client.go.release()
        for _ in range(20):  # the run continues without its reader
            await asyncio.sleep(0)
        stopped_at = len(client.bodies)
        room.set()
        await answer

    text = b"".join(client.bodies).decode()
    assert stopped_at == 2
    assert [text.count(f'"text":"{n}"') for n in range(1, 6)] == [1] * 5
    assert text.index('"text":"2"') < text.index('"text":"3"') < text.index("event: done")


async def test_a_send_that_waits_for_too_long_is_aborted(kind: type[Paced]) -> None:
    client = kind(Timing(head_wait=SOON, stall_timeout=0.01, grace=0.0))
    client.on_body = lambda number: asyncio.Event().wait() if number == 2 else None
    async with opened(client.actions), asyncio.timeout(SOON):
        async with asyncio.TaskGroup() as group:
            answer = group.create_task(broken(client))
            await client.step()
            client.go.release()
        assert "does not read" in str(answer.result())


async def test_a_send_that_fails_fails_the_answer_and_not_the_run(kind: type[Paced]) -> None:
    def fail(number: int) -> None:
        if number == 2:
            raise OSError("the socket is gone")

    client = kind()
    client.on_body = fail
    async with opened(client.actions) as site, asyncio.timeout(SOON):
        async with asyncio.TaskGroup() as group:
            answer = group.create_task(broken(client))
            await client.step()
            for _ in range(4):
                client.go.release()
        (run_id,) = [line.split(".")[0] for line in client.bodies[0].decode()[4:].splitlines()[:1]]
        while not (run := await site.app.store.get(run_id)).status.is_terminal:
            await site.app.store.read(run_id, run.seq, wait=SOON)

    assert "the socket is gone" in str(answer.result())
    assert run.status == "completed"


@pytest.mark.parametrize("error", [LookupError, TimeoutError, asyncio.CancelledError])
async def test_what_a_send_raises_reaches_neither_the_run_nor_another_reader(
    kind: type[Paced], error: type[BaseException]
) -> None:
    def fail(number: int) -> None:
        if number == 2:
            raise error

    client, other = kind(), list[int]()
    client.on_body = fail
    async with opened(client.actions) as site, asyncio.timeout(SOON):
        async with asyncio.TaskGroup() as group:
            answer = group.create_task(ended(client))
            await client.step()
            (run,) = await site.app.store.find(Query(everyone=True))

            async def read() -> None:
                async with aclosing(site.app.reader(run.id).pages(1, tick=SOON)) as pages:
                    async for page in pages:
                        other.extend(
                            seq for block in page for seq in range(block.first, block.last + 1)
                        )

            reading = group.create_task(read())
            for _ in range(4):
                client.go.release()
                await asyncio.sleep(0)
            await reading
        run = await site.app.store.get(run.id)

    assert answer.result() is not None
    assert (run.status, run.seq) == (Status.COMPLETED, 6)
    assert other == [2, 3, 4, 5, 6]


def test_a_stream_that_was_busy_needs_no_keepalive(kind: type[Paced]) -> None:
    client = kind(Timing(head_wait=SOON, keepalive=0.2, grace=0.0))

    async def program() -> None:
        async with opened(client.actions), asyncio.timeout(SOON), asyncio.TaskGroup() as group:
            group.create_task(client.answer())
            await client.step()
            await asyncio.sleep(0.1)
            await client.step()  # between two ticks
            client.arrived.clear()
            await client.arrived.wait()  # nothing was made: this is the keepalive
            for _ in range(3):
                await client.step()

    run_virtually(program())

    assert [number for number, body in enumerate(client.bodies) if b"keepalive" in body] == [2]


async def broken(client: Paced) -> Exception:
    """Return what the answer ends with."""
    with pytest.raises((BrokenOff, OSError)) as caught:
        await client.answer()
    return caught.value


async def ended(client: Paced) -> BaseException | None:
    """Return what the answer raises, whatever that is."""
    try:
        await client.answer()
    except BaseException as exc:  # noqa: BLE001 - also a cancellation by nobody
        return exc
    return None
