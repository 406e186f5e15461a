"""An application is healthy while it takes requests and its store answers."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence

import pytest

from tests.support.runs import opened
from yieldwire.app import App, health
from yieldwire.app.health import Health, State
from yieldwire.errors import StoreError
from yieldwire.log.run import RunRecord
from yieldwire.stores import Query
from yieldwire.stores.memory import MemoryStore


class Moody(MemoryStore):
    """A store that answers, fails or is silent, as ``mood`` says, and counts the questions."""

    def __init__(self) -> None:
        super().__init__()
        self.mood: str = "good"
        self.asked = 0

    async def find(self, query: Query, /) -> Sequence[RunRecord]:
        self.asked += 1
        if self.mood == "bad":
            raise StoreError("10.0.0.3 refused the connection")
        if self.mood == "silent":
            await asyncio.Event().wait()
        return await super().find(query)


@pytest.fixture
def store() -> Moody:
    return Moody()


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask the store each time, and do not wait for it."""
    monkeypatch.setattr(health, "FRESH", 0.0)
    monkeypatch.setattr(health, "PATIENCE", 0.05)


@pytest.mark.usefixtures("at_once")
async def test_a_store_that_fails_or_is_silent_cannot_be_reached_until_it_answers(
    store: Moody, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "yieldwire.app")
    states: list[State] = []
    async with opened(App(store=store)) as app:
        asked = Health(app)
        for store.mood in ("good", "bad", "silent", "bad", "good"):
            states.append(await asked.state())

    assert states == [State.OK, *[State.NO_STORE] * 3, State.OK]
    assert [each.getMessage() for each in caplog.records if each.name == "yieldwire.app"] == [
        "the store cannot be reached: 10.0.0.3 refused the connection",
        "the store can be reached again",
    ]


async def test_however_many_ask_the_store_is_asked_once(store: Moody) -> None:
    async with opened(App(store=store)) as app:
        store.asked, asked = 0, Health(app)
        states = await asyncio.gather(*(asked.state() for _ in range(100)))

    assert {*states} == {State.OK}
    assert store.asked == 1


async def test_an_application_that_drains_or_is_closed_is_stopping(store: Moody) -> None:
    async with opened(App(store=store)) as app:
        asked = Health(app)
        before = await asked.state()
        app.lifetime.drain()
        draining = await asked.state()
    closed = await Health(app).state()

    assert [before, draining, closed] == [State.OK, State.STOPPING, State.STOPPING]


@pytest.mark.usefixtures("at_once")
async def test_an_application_whose_store_is_away_is_asked_before_it_can_open(store: Moody) -> None:
    store.mood = "bad"
    app = App(store=store)
    asked = Health(app)
    before = await asked.state()
    store.mood = "good"
    after = await asked.state()
    await app.close()

    assert [before, after] == [State.NO_STORE, State.OK]


async def test_an_application_that_cannot_be_opened_is_opened_once_for_all_who_ask(
    store: Moody, caplog: pytest.LogCaptureFixture
) -> None:
    app, opened_at = App(store=store), list[str]()

    @app.registry.resource
    async def model() -> AsyncIterator[str]:
        opened_at.append("here")
        if opened_at:
            raise ConnectionError("10.0.0.3 refused the connection")
        yield "never"

    asked = Health(app)
    states = await asyncio.gather(*(asked.state() for _ in range(10)))
    await app.close()

    assert {*states} == {State.NOT_OPEN}
    assert opened_at == ["here"]
    assert "10.0.0.3" in caplog.text
