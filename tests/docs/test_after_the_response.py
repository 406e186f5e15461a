"""The guide to work after the response: a route answers, and the run goes its own way."""

from types import ModuleType
from typing import cast

import httpx
import pytest
from starlette.applications import Starlette

from tests.docs.conftest import Load
from yieldwire import Actions, Caller
from yieldwire.errors import Forbidden


@pytest.fixture
def files(load: Load) -> dict[str, ModuleType]:
    return load("run-work-after-the-response.md")


async def test_a_route_answers_and_the_run_ends_later_for_its_owner(
    files: dict[str, ModuleType],
) -> None:
    actions, app = cast("Actions", files["app"].actions), cast("Starlette", files["app"].app)
    transport = httpx.ASGITransport(app=app)
    async with (
        actions.lifespan(),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as http,
    ):
        http.headers["X-Customer"] = "ada"
        first = await http.post("/orders", json={"order": 7})
        again = await http.post("/orders", json={"order": 7})
        run = await actions.runs.get(first.json()["run"])

        assert (first.status_code, again.json()) == (202, first.json())
        assert await run.result() == "invoice-7.pdf"
        with pytest.raises(Forbidden, match="somebody else"):
            await actions.runs.get(run.id, caller=Caller(owner="ben"))


async def test_only_one_of_several_processes_starts_a_scheduled_run(
    files: dict[str, ModuleType],
) -> None:
    actions = cast("Actions", files["app"].actions)
    async with actions.lifespan():
        ids = {await files["nightly"].tonight() for _ in range(3)}
        run = await actions.runs.get(ids.pop())
        await run.result()

    assert ids == set()
