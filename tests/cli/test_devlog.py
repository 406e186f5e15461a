import logging
from collections.abc import AsyncIterator

import pytest
from httpx2 import AsyncClient
from starlette.types import ASGIApp, Receive, Scope, Send

from yieldwire import Actions
from yieldwire.cli.devlog import Lines, RequestLog
from yieldwire.cli.mounting import mounted
from yieldwire.testing import StreamingTransport


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what a development server writes, without the times."""
    records = [record for record in caplog.records if record.name.startswith("yieldwire")]
    formatted = [Lines(datefmt="%H:%M:%S").format(record) for record in records]
    return [line.partition(" ")[2] for line in formatted]


def http_of(app: ASGIApp) -> AsyncClient:
    logged = RequestLog(app, ["/api/"])
    return AsyncClient(transport=StreamingTransport(logged), base_url="http://localhost")


@pytest.fixture
async def http(caplog: pytest.LogCaptureFixture) -> AsyncIterator[AsyncClient]:
    caplog.set_level(logging.INFO, logger="yieldwire")
    actions = Actions(identify=lambda request: request.headers.get("user"))

    @actions.action
    async def add(a: int, b: int) -> int:
        return a + b

    async with actions.lifespan(), http_of(mounted(actions, "/api")) as client:
        yield client


async def test_requests_and_runs_are_logged_with_id_owner_and_duration(
    http: AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await http.post("/api/add", json={"a": 1, "b": 2}, headers={"user": "anna"})
    run_id = answer.headers["run-id"]

    starts, ends, request = lines(caplog)
    assert starts == f"run starts: add ({run_id}, anna)"
    assert ends.startswith(f"run ends: add, completed ({run_id}, anna, ")
    assert request.startswith(f"POST /api/add: 200 ({run_id}, ")
    assert ends.endswith(" s)")
    assert request.endswith(" s)")


async def test_a_run_without_an_owner_is_anonymous(
    http: AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    await http.post("/api/add", json={"a": 1, "b": 2})

    assert lines(caplog)[0].endswith(", anonymous)")


async def test_what_the_developer_page_asks_for_itself_is_not_logged(
    http: AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    for path in ("/api/dev/runs", "/api/dev/dev.js", "/dev/mine"):
        await http.get(path)

    (line,) = lines(caplog)
    assert line.startswith("GET /dev/mine: 404 (")


async def test_an_answer_that_ends_early_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="yieldwire")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/early":
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("over")

    async with http_of(app) as http:
        for path in ("/early", "/none"):
            with pytest.raises(Exception, match=r"over|cut off"):
                await http.get(path)

    early, none = lines(caplog)
    assert early.startswith("GET /early: 200, not to its end (")
    assert none.startswith("GET /none: no answer (")


def test_a_warning_says_so_and_nothing_controls_the_terminal() -> None:
    record = logging.makeLogRecord(
        {"msg": "run %s", "args": ("\x1b[2J",), "levelno": logging.WARNING, "levelname": "WARNING"}
    )

    assert Lines(datefmt="T").format(record) == "T WARNING: run \N{REPLACEMENT CHARACTER}[2J"
