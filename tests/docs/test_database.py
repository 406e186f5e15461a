"""What the guide to databases says about transactions holds, with SQLAlchemy and SQLite."""

import asyncio
from collections.abc import AsyncIterator
from types import ModuleType
from typing import cast

import httpx
import pytest
from starlette.types import ASGIApp

from tests.docs.conftest import Load
from yieldwire import ActionError, Actions, Context, Text
from yieldwire.errors import RunCancelled

NEW = [f"{n}@example.com" for n in range(150)]


@pytest.fixture
def files(load: Load) -> dict[str, ModuleType]:
    return load("use-a-database.md")


@pytest.fixture
async def guide(files: dict[str, ModuleType]) -> AsyncIterator[Actions]:
    """The application of the guide, open."""
    actions = cast("Actions", files["database"].actions)
    async with actions.lifespan():
        yield actions


async def kept(actions: Actions) -> list[str]:
    run = await actions.start(actions.app.registry.action_named("find_contacts"), {"part": "@"})
    return cast("list[str]", await run.result())


async def test_a_batch_that_fails_takes_back_nothing_that_progress_has_counted(
    guide: Actions,
) -> None:
    action = guide.app.registry.action_named("import_contacts")
    run = await guide.start(action, {"emails": [*NEW, NEW[0]]}, owner="ada")

    with pytest.raises(ActionError, match="already there"):
        await run.result()

    progress = cast("dict[str, object]", (await run.snapshot())["progress"])
    assert progress["current"] == 100
    assert await kept(guide) == NEW[:100]


async def test_a_session_of_an_attempt_is_committed_when_the_action_returns(guide: Actions) -> None:
    run = await guide.start(guide.app.registry.action_named("invite"), {"email": "a@b"})

    assert await run.result() == 1
    assert await kept(guide) == ["a@b"]


async def test_a_session_of_an_attempt_is_rolled_back_when_it_fails_or_is_stopped(
    guide: Actions, files: dict[str, ModuleType]
) -> None:
    sessions = files["sessions"]

    @guide.action(middleware=[sessions.with_session])
    async def add(ctx: Context, email: str) -> AsyncIterator[Text]:
        await sessions.add_contact(email)
        await sessions.current.get().flush()
        if email == "fails":
            raise ActionError("NO", "No.", status=409)
        yield Text("added")
        await asyncio.Event().wait()

    failing = await guide.start(add, {"email": "fails"})
    with pytest.raises(ActionError, match="No"):
        await failing.result()
    stopped = await guide.start(add, {"email": "stopped@"})
    async for _ in stopped:
        await stopped.cancel()
        break
    with pytest.raises(RunCancelled, match="cancelled"):
        await stopped.result()

    assert await kept(guide) == []


async def test_a_guard_sees_the_rows_and_tells_the_action_by_plain_json(guide: Actions) -> None:
    invited = guide.app.registry.action_named("import_contacts")
    run = await guide.start(invited, {"emails": NEW}, owner="ada")
    await run.result()

    room = await guide.start(guide.app.registry.action_named("room"), {}, owner="ada")

    assert await room.result() == "850 more"


@pytest.mark.parametrize(("module", "name"), [("routes", "app"), ("api", "api")])
async def test_ordinary_routes_share_the_engine(
    guide: Actions, files: dict[str, ModuleType], module: str, name: str
) -> None:
    run = await guide.start(guide.app.registry.action_named("invite"), {"email": "a@b"})
    await run.result()
    app = cast("ASGIApp", getattr(files[module], name))

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://localhost"
    ) as http:
        answer = await http.get("/contacts")

    assert answer.json() == ["a@b"]


async def test_a_blocking_action_commits_in_its_own_thread(
    guide: Actions, files: dict[str, ModuleType]
) -> None:
    actions = cast("Actions", files["blocking"].actions)
    async with actions.lifespan():
        run = await actions.start(
            actions.app.registry.action_named("import_contacts"), {"emails": NEW[:3]}
        )
        assert await run.result() == 3

    assert await kept(guide) == NEW[:3]
