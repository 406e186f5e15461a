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
    actions: Actions, base: str, *, redirects: bool = False, root_path: str = ""
) -> AsyncClient:
    app = mounted(actions, base, redirects=redirects)
    transport = StreamingTransport(app, root_path=root_path)
    return AsyncClient(transport=transport, base_url="http://localhost")


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
