import mimetypes
from pathlib import Path

import pytest
from httpx2 import AsyncClient

from yieldwire import Actions
from yieldwire.cli.mounting import mounted
from yieldwire.testing import StreamingTransport


@pytest.fixture
def actions() -> Actions:
    actions = Actions()

    @actions.action
    async def add(a: int, b: int) -> int:
        return a + b

    return actions


def http_of(
    actions: Actions,
    base: str,
    *,
    redirects: bool = False,
    static: Path | None = None,
    root_path: str = "",
) -> AsyncClient:
    app = mounted(actions, base, redirects=redirects, static=static)
    transport = StreamingTransport(app, root_path=root_path)
    return AsyncClient(transport=transport, base_url="http://localhost")


@pytest.fixture
def static(tmp_path: Path) -> Path:
    """A folder with a page, and files that are not for it."""
    mimetypes.init()  # Starlette does it with the first file that it sends, and it blocks
    (tmp_path / "index.html").write_text("<h1>Hello</h1>")
    (tmp_path / ".git").mkdir()
    (tmp_path / "more").mkdir()
    for name in ("more/index.html", "more/a.js", ".env", ".git/config", "app.py", "runs.db-wal"):
        (tmp_path / name).write_text("content")
    return tmp_path


@pytest.mark.parametrize("base", ["/api/_actions", "/api/_actions/", "/", ""])
async def test_the_application_answers_below_its_base(actions: Actions, base: str) -> None:
    async with http_of(actions, base) as http:
        manifest = await http.get(f"{base.rstrip('/')}/manifest.json")

    assert manifest.json()["actions"][0]["name"] == "add"


async def test_elsewhere_there_is_nothing(actions: Actions) -> None:
    async with http_of(actions, "/api/_actions") as http:
        answers = [await http.get(path) for path in ("/", "/api", "/api/_actionsx", "/x")]

    assert {answer.status_code for answer in answers} == {404}
    assert answers[0].json()["error"]["code"] == "NOT_FOUND"
    assert "below /api/_actions/" in answers[0].json()["error"]["message"]


async def test_the_root_can_lead_to_the_page_behind_a_proxy_too(actions: Actions) -> None:
    async with http_of(actions, "/api/_actions", redirects=True, root_path="/shop") as http:
        answer = await http.get("/")

    assert (answer.status_code, answer.headers["location"]) == (307, "/shop/api/_actions/")


async def test_a_base_is_told_to_the_application(actions: Actions) -> None:
    async with http_of(actions, "/api/_actions", root_path="/shop") as http:
        body = {"a": 1, "b": 2}
        answer = await http.post("/api/_actions/add", json=body, headers={"Accept": "*/*"})

    assert answer.json()["result"] == 3
    assert answer.headers["location"].startswith("/shop/api/_actions/runs/")


async def test_the_files_of_a_folder_are_served_at_the_root(actions: Actions, static: Path) -> None:
    async with http_of(actions, "/api/_actions", redirects=True, static=static) as http:
        page, script = await http.get("/"), await http.get("/more/a.js")
        folder = await http.get("/more")
        manifest = await http.get("/api/_actions/manifest.json")

    assert (page.status_code, page.text) == (200, "<h1>Hello</h1>")
    assert page.headers["cache-control"] == "no-cache"
    assert "javascript" in script.headers["content-type"]
    assert (folder.status_code, folder.headers["location"]) == (307, "http://localhost/more/")
    assert manifest.json()["actions"][0]["name"] == "add"


@pytest.mark.parametrize(
    "path", ["/.env", "/.git/config", "/app.py", "/runs.db-wal", "/none", "/%2e%2e/app.py"]
)
async def test_hidden_files_code_and_databases_are_not_served(
    actions: Actions, static: Path, path: str
) -> None:
    async with http_of(actions, "/api/_actions", static=static) as http:
        answer = await http.get(path)

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")


async def test_a_file_is_not_served_to_a_name_that_the_application_refuses(static: Path) -> None:
    async with http_of(Actions(hosts=["localhost"]), "/api/_actions", static=static) as http:
        own = await http.get("/")
        foreign = await http.get("/", headers={"Host": "rebound.example"})

    assert (own.status_code, foreign.status_code) == (200, 404)
