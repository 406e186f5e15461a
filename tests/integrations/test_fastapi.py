"""Actions in FastAPI, as its developers write and test them."""

import json
import runpy
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import Body, Cookie, Depends, FastAPI, Header, HTTPException, Query, Request, Security
from fastapi.openapi.models import OpenAPI
from fastapi.responses import JSONResponse, Response
from fastapi.security import OAuth2PasswordBearer, SecurityScopes
from fastapi.testclient import TestClient
from pydantic import BaseModel, Field
from starlette.applications import Starlette
from starlette.testclient import WebSocketDenialResponse

from yieldwire import ActionError, Actions, Context, Text, Unauthorized
from yieldwire.dialects import NuxtActions
from yieldwire.errors import Forbidden, InvalidAction, UsageError
from yieldwire.integrations.fastapi import mount
from yieldwire.testing import connect

ADA = {"authorization": "Bearer ada"}
oauth2 = OAuth2PasswordBearer(tokenUrl="token", scopes={"write": "Change things."})


class User(BaseModel):
    """Who is signed in."""

    name: str
    plan: str = "free"


class Session:
    """What only lasts as long as a request is resolved."""

    def __init__(self) -> None:
        self.is_open = True


class Shop:
    """An application with a session, a sign-in, and actions that need them."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.actions = Actions()
        self.app = FastAPI(title="Shop")

    def session(self) -> Iterator[Session]:
        session = Session()
        self.events.append("open")
        yield session
        session.is_open = False
        self.events.append("close")

    def client(self, *, raises: bool = True) -> TestClient:
        return TestClient(
            self.app,
            base_url="http://localhost",
            headers=ADA,
            raise_server_exceptions=raises,
        )


async def current_user(token: Annotated[str, Depends(oauth2)]) -> User:
    if token == "expired":
        raise HTTPException(401, "Sign in again.", {"WWW-Authenticate": "Bearer"})
    return User(name=token)


CurrentUser = Annotated[User, Depends(current_user)]


async def owner(user: CurrentUser) -> str:
    return user.name


@pytest.fixture
def shop() -> Shop:
    return Shop()


def greeting(shop: Shop, queue: str | None = None) -> None:
    """Mount an action that greets the user."""

    @shop.actions.action(queue=queue)
    async def greet(
        word: Annotated[str, Field(examples=["Hello"])], user: CurrentUser, ctx: Context
    ) -> AsyncIterator[Text]:
        """Greet the user.

        In one sentence.
        """
        shop.events.append("run")
        yield Text(f"{word}, {user.name}! ({user.plan}, {ctx.owner})")


def test_an_action_takes_what_a_dependency_finds_for_the_request(shop: Shop) -> None:
    greeting(shop)
    mount(shop.app, shop.actions)

    with shop.client() as client:
        answer = client.post("/api/_actions/greet", json={"word": "Hi"})

    assert "Hi, ada! (free, None)" in answer.text


def test_nobody_can_send_the_value_of_a_dependency(shop: Shop) -> None:
    greeting(shop)
    mount(shop.app, shop.actions)

    with shop.client() as client:
        sent = {"word": "Hi", "user": {"name": "eve"}}
        answer = client.post("/api/_actions/greet", json=sent)
        manifest = client.get("/api/_actions/manifest.json").json()

    assert answer.json()["error"]["fieldErrors"] == {"user": ["Extra inputs are not permitted"]}
    assert list(manifest["actions"][0]["input"]["properties"]) == ["word"]


def test_what_a_dependency_opens_is_closed_before_the_run_begins(shop: Shop) -> None:
    def plan_of(session: Annotated[Session, Depends(shop.session)]) -> str:
        return "pro" if session.is_open else "closed"

    @shop.actions.action
    async def plan(plan: Annotated[str, Depends(plan_of)]) -> AsyncIterator[Text]:
        shop.events.append("run")
        yield Text(plan)

    mount(shop.app, shop.actions)

    with shop.client() as client:
        answer = client.post("/api/_actions/plan", json={})

    assert shop.events == ["open", "close", "run"]
    assert '"pro"' in answer.text


def test_an_error_while_a_dependency_is_closed_starts_no_run(shop: Shop) -> None:
    async def transaction() -> AsyncIterator[int]:
        yield 1
        raise OSError("The commit failed.")

    @shop.actions.action
    async def work(number: Annotated[int, Depends(transaction)]) -> int:
        shop.events.append("run")
        return number

    mount(shop.app, shop.actions)

    with shop.client(raises=False) as client:
        answer = client.post("/api/_actions/work", json={})

    assert (answer.status_code, shop.events) == (500, [])


def test_a_refusal_is_the_hosts_own_answer(shop: Shop) -> None:
    greeting(shop)
    mount(shop.app, shop.actions)
    shop.app.get("/me")(current_user)

    with shop.client() as client:
        expired = {"authorization": "Bearer expired"}
        answer = client.post("/api/_actions/greet", json={"word": "Hi"}, headers=expired)
        of_route = client.get("/me", headers=expired)

    error = answer.json().pop("error")
    assert {**of_route.json(), "error": error} == answer.json()
    assert (error["code"], error["message"]) == ("UNAUTHORIZED", "Sign in again.")
    assert answer.status_code == of_route.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


def test_the_hosts_exception_handlers_answer_what_a_dependency_raises(shop: Shop) -> None:
    async def refuse() -> None:
        raise LookupError("no such shop")

    async def fail() -> None:
        raise OSError("no disk")

    @shop.actions.action
    async def lookup(_: Annotated[None, Depends(refuse)]) -> None: ...

    @shop.actions.action
    async def broken(_: Annotated[None, Depends(fail)]) -> None: ...

    @shop.app.exception_handler(LookupError)
    async def missing(request: Request, exc: LookupError) -> JSONResponse:
        return JSONResponse({"missing": str(exc), "path": request.url.path}, 404)

    @shop.app.exception_handler(Exception)
    async def anything(request: Request, exc: Exception) -> JSONResponse:
        return JSONResponse({"failed": type(exc).__name__}, 500)

    mount(shop.app, shop.actions)

    with shop.client(raises=False) as client:
        known = client.post("/api/_actions/lookup", json={})
        unknown = client.post("/api/_actions/broken", json={})

    told = {"missing": "no such shop", "path": "/api/_actions/lookup"}
    assert known.json().items() >= told.items()
    assert known.json()["error"]["code"] == "NOT_FOUND"
    assert (known.status_code, unknown.status_code) == (404, 500)
    assert unknown.json() == {"failed": "OSError"}


def test_an_error_of_this_package_is_answered_as_a_guards(shop: Shop) -> None:
    async def credit() -> int:
        raise ActionError("OUT_OF_CREDIT", "Your credit is used up.", status=402)

    @shop.actions.action
    async def work(credit: Annotated[int, Depends(credit)]) -> None: ...

    mount(shop.app, shop.actions)

    with shop.client() as client:
        answer = client.post("/api/_actions/work", json={})

    assert (answer.status_code, answer.json()["error"]["code"]) == (402, "OUT_OF_CREDIT")


def test_a_dependency_reads_the_query_headers_cookies_and_the_mounts_path(shop: Shop) -> None:
    def found(
        tenant: str,
        page: Annotated[int, Query(ge=1)],
        x_region: Annotated[str, Header()],
        theme: Annotated[str, Cookie()],
    ) -> list[Any]:
        return [tenant, page, x_region, theme]

    @shop.actions.action
    async def work(facts: Annotated[list[Any], Depends(found)], word: str) -> list[Any]:
        return [*facts, word]

    mount(shop.app, shop.actions, "/{tenant}/actions")

    with shop.client() as client:
        client.cookies["theme"] = "dark"
        url, region = "/acme/actions/work", {"x-region": "eu"}
        answer = client.post(f"{url}?page=2", json={"word": "w"}, headers=region)
        refused = client.post(f"{url}?page=0", json={"word": "w"}, headers=region)

    assert answer.json()["result"] == ["acme", 2, "eu", "dark", "w"]
    assert (refused.status_code, refused.json()["detail"][0]["loc"]) == (422, ["query", "page"])


def test_scopes_of_security_reach_the_dependency(shop: Shop) -> None:
    async def granted(scopes: SecurityScopes, token: Annotated[str, Depends(oauth2)]) -> str:
        return f"{token}: {scopes.scope_str}"

    @shop.actions.action
    async def write(grant: Annotated[str, Security(granted, scopes=["write"])]) -> str:
        return grant

    mount(shop.app, shop.actions)

    with shop.client() as client:
        answer = client.post("/api/_actions/write", json={})

    assert answer.json()["result"] == "ada: write"


def test_a_dependency_can_be_the_default_of_its_parameter(shop: Shop) -> None:
    @shop.actions.action
    async def greet(user: User = Depends(current_user)) -> str:  # noqa: B008 - FastAPI's older style
        return user.name

    mount(shop.app, shop.actions)

    with shop.client() as client:
        answer = client.post("/api/_actions/greet", json={})

    assert answer.json()["result"] == "ada"


def test_overrides_of_dependencies_are_for_actions_too(shop: Shop) -> None:
    greeting(shop)
    mount(shop.app, shop.actions)
    shop.app.dependency_overrides[current_user] = lambda: User(name="test", plan="pro")

    with shop.client() as client:
        answer = client.post("/api/_actions/greet", json={"word": "Hi"}, headers={})

    assert "Hi, test! (pro, None)" in answer.text


def test_a_run_that_waited_in_a_queue_has_the_value_too(shop: Shop) -> None:
    greeting(shop, "slow")
    mount(shop.app, shop.actions)

    with shop.client() as client:
        start = {"prefer": "respond-async", **ADA}
        started = client.post("/api/_actions/greet", json={"word": "Hi"}, headers=start)
        run = client.get(started.headers["location"], params={"wait": 20})
        while run.json()["status"] not in {"completed", "failed"}:
            run = client.get(started.headers["location"], params={"wait": 20})

    assert run.json()["text"] == "Hi, ada! (free, None)"


async def test_the_record_of_a_run_has_all_that_another_process_needs(shop: Shop) -> None:
    greeting(shop)
    app, action = shop.actions.app, shop.actions.greet.action
    async with shop.actions.lifespan():
        run = await shop.actions.start(action, {"word": "Hi"}, user=User(name="bob"))
        await run.result()

        work = app.load(await app.store.get(run.id))

    assert work.context["dependencies"] == {"user": {"name": "bob", "plan": "free"}}


async def test_python_code_gives_the_value_itself(shop: Shop) -> None:
    greeting(shop)
    action: Any = shop.actions.greet.action
    async with shop.actions.lifespan():
        run = await shop.actions.start(action, word="Hi", user=User(name="bob"))
        await run.result()
        text = (await shop.actions.app.snapshot(run.id))["text"]

        with pytest.raises(UsageError, match=r"'user' is a dependency.*start\(greet, user=...\)"):
            await shop.actions.start(action, word="Hi")

    assert text == "Hi, bob! (free, None)"


def test_what_cannot_be_kept_with_a_run_is_refused_when_the_action_is_declared(shop: Shop) -> None:
    async def work(session: Annotated[Session, Depends(shop.session)]) -> None: ...

    with pytest.raises(InvalidAction, match=r"work: the dependency 'session' .* Use\(\)"):
        shop.actions.action(work)


def test_a_dependency_without_a_type_is_refused(shop: Shop) -> None:
    async def work(user=Depends(current_user)) -> None: ...  # type: ignore[no-untyped-def] # noqa: ANN001, B008

    with pytest.raises(InvalidAction, match="'user' has no type; write Annotated"):
        shop.actions.action(work)


def test_a_schedule_has_no_request_to_resolve_dependencies_from(shop: Shop) -> None:
    async def work(user: CurrentUser) -> None: ...

    with pytest.raises(InvalidAction, match=r"schedule= starts runs without a request.*user"):
        shop.actions.action(queue="q", schedule="0 9 * * *")(work)


def test_a_value_of_another_type_than_the_parameters_is_an_error_of_the_server(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    @shop.actions.action
    async def work(number: Annotated[int, Depends(lambda: "seven")]) -> None: ...

    mount(shop.app, shop.actions)

    with shop.client() as client:
        answer = client.post("/api/_actions/work", json={})

    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "INTERNAL_ERROR")
    assert "work: the dependency 'number' has the value 'seven'" in caplog.text


def test_a_dependency_that_reads_the_body_is_refused_when_it_is_mounted(shop: Shop) -> None:
    def title(title: Annotated[str, Body(embed=True)]) -> str:
        return title

    @shop.actions.action
    async def work(title: Annotated[str, Depends(title)]) -> None: ...

    with pytest.raises(UsageError, match="A dependency of /api/_actions/work reads the body"):
        mount(shop.app, shop.actions)


def test_a_dependency_that_awaits_the_body_is_an_error_of_the_server(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    async def size(request: Request) -> int:
        return len(await request.body())

    @shop.actions.action
    async def work(size: Annotated[int, Depends(size)]) -> None: ...

    mount(shop.app, shop.actions)

    with shop.client() as client:
        answer = client.post("/api/_actions/work", json={})

    assert answer.status_code == 500
    assert "reads the body of the request" in caplog.text


# Who sends a request.


def test_a_dependency_identifies_the_sender_of_every_request(shop: Shop) -> None:
    greeting(shop)
    mount(shop.app, shop.actions, identify=owner)

    with shop.client() as client:
        answer = client.post("/api/_actions/greet", json={"word": "Hi"})
        run = answer.headers["location"]
        own = client.get(run)
        of_another = client.get(run, headers={"authorization": "Bearer bob"})
        without = client.get(run, headers={"authorization": ""})

    assert "(free, ada)" in answer.text
    assert (own.status_code, of_another.status_code) == (200, 403)
    assert (without.status_code, without.json()["detail"]) == (401, "Not authenticated")


def test_dependencies_of_the_mount_refuse_every_request(shop: Shop) -> None:
    async def has_key(x_key: Annotated[str, Header()]) -> None:
        if x_key != "k":
            raise HTTPException(403, "Wrong key.")

    shop.actions = Actions(identify=lambda request: request.headers.get("x-user"))
    greeting(shop)
    mount(shop.app, shop.actions, dependencies=[Depends(has_key)])

    with shop.client() as client:
        right = {"x-key": "k", "x-user": "bob"}
        answer = client.post("/api/_actions/greet", json={"word": "Hi"}, headers=right)
        refused = [
            client.post("/api/_actions/greet", json={"word": "Hi"}, headers={"x-key": "no"}),
            client.get("/api/_actions/runs", headers={"x-key": "no"}),
        ]

    assert "(free, bob)" in answer.text
    assert [each.json()["detail"] for each in refused] == ["Wrong key."] * 2


def test_an_owner_is_named_in_one_place(shop: Shop) -> None:
    shop.actions = Actions(identify=lambda request: None)

    with pytest.raises(UsageError, match="Give identify= to"):
        mount(shop.app, shop.actions, identify=owner)


def test_a_socket_is_refused_and_its_starts_resolved_by_the_same_dependencies(shop: Shop) -> None:
    greeting(shop)

    async def key(request: Request) -> None:
        if "x-key" not in request.headers:
            raise HTTPException(403, "No key.")

    mount(shop.app, shop.actions, identify=owner, dependencies=[Depends(key)])
    asked = json.dumps({"id": 1, "method": "POST", "path": "/greet"}) + '\n{"word":"Hi"}'

    with shop.client() as client:
        with pytest.raises(WebSocketDenialResponse) as denied:
            client.websocket_connect("/api/_actions/ws").__enter__()
        with client.websocket_connect("/api/_actions/ws", headers={"x-key": "k"}) as socket:
            socket.send_text(asked)
            answer = ""
            while '"end":true' not in answer:
                answer += socket.receive_text()

    assert (denied.value.status_code, denied.value.json()["detail"]) == (403, "No key.")
    assert "Hi, ada! (free, ada)" in answer


# The host.


def test_the_actions_open_after_the_hosts_own_lifespan_and_close_before_it() -> None:
    shop = Shop()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[dict[str, str], None]:
        shop.events.append("host opens")
        yield {"name": "state"}
        shop.events.append("host closes")

    @shop.actions.resource
    async def pool() -> AsyncIterator[None]:
        shop.events.append("actions open")
        yield
        shop.events.append("actions close")

    shop.app = FastAPI(lifespan=lifespan)
    mount(shop.app, shop.actions)

    @shop.app.get("/state")
    async def state(request: Request) -> str:
        return str(request.state.name)

    with shop.client() as client:
        answer = client.get("/state")

    assert answer.json() == "state"
    assert shop.events == ["host opens", "actions open", "actions close", "host closes"]


def test_a_test_client_without_a_lifespan_is_answered_too(shop: Shop) -> None:
    greeting(shop)
    mount(shop.app, shop.actions)

    answer = shop.client().post("/api/_actions/greet", json={"word": "Hi"})

    assert "Hi, ada!" in answer.text


def test_each_application_of_a_factory_resolves_with_its_own_overrides(shop: Shop) -> None:
    greeting(shop)
    apps = [FastAPI(), FastAPI()]

    for app, name in zip(apps, ("first", "second"), strict=True):
        mount(app, shop.actions)
        app.dependency_overrides[current_user] = partial(User, name=name)
    clients = [TestClient(app, base_url="http://localhost") for app in apps]
    answers = [each.post("/api/_actions/greet", json={"word": "Hi"}).text for each in clients]

    assert ["first!" in answers[0], "second!" in answers[1]] == [True, True]


def test_actions_with_dependencies_need_the_mount_of_the_integration(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    greeting(shop)
    shop.app.mount("/api/_actions", shop.actions)

    answer = shop.client().post("/api/_actions/greet", json={"word": "Hi"})

    assert answer.status_code == 500
    assert "yieldwire.integrations.fastapi.mount(app, actions)" in caplog.text


@pytest.mark.parametrize(
    ("app", "actions", "path", "message"),
    [
        (Starlette(), Actions(), "/a", "yieldwire.integrations.starlette.mount"),
        (FastAPI(), FastAPI(), "/a", "takes an Actions\\(\\) to mount, not FastAPI"),
        (FastAPI(), Actions(), "a", "one such as '/api/_actions', not 'a'"),
        (FastAPI(), Actions(), "/", "one such as '/api/_actions', not '/'"),
    ],
)
def test_what_cannot_be_mounted_is_refused(
    app: Any,  # noqa: ANN401 - a mistake
    actions: Any,  # noqa: ANN401 - a mistake
    path: str,
    message: str,
) -> None:
    with pytest.raises(UsageError, match=message):
        mount(app, actions, path)


# The documentation.


def documented(shop: Shop, *tags: str, is_shown: bool = True) -> dict[str, Any]:
    greeting(shop)
    shop.app.get("/me")(current_user)
    mount(
        shop.app,
        shop.actions,
        identify=owner,
        tags=tags or ("actions",),
        include_in_schema=is_shown,
    )
    document: dict[str, Any] = shop.client().get("/openapi.json").json()
    return document


def test_the_hosts_documentation_has_the_actions_with_examples_and_security(shop: Shop) -> None:
    document = documented(shop, "greetings")

    operation = document["paths"]["/api/_actions/greet"]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    assert schema["properties"]["word"]["examples"] == ["Hello"]
    assert operation["security"] == [{"OAuth2PasswordBearer": []}]
    assert operation["tags"] == ["greetings"]
    assert operation["operationId"] == "greet_api__actions_greet_post"
    assert operation["description"] == "Greet the user.\n\nIn one sentence."
    # Without JSON, which generators of clients would take instead of the stream.
    content = operation["responses"]["200"]["content"]
    assert next(iter(content)) == "text/event-stream"
    assert "application/json" not in content
    assert next(iter(document["paths"])) == "/me"


def test_requests_for_runs_are_documented_with_the_security_of_identify(shop: Shop) -> None:
    document = documented(shop)

    operation = document["paths"]["/api/_actions/runs/{id}"]["get"]
    assert operation["security"] == [{"OAuth2PasswordBearer": []}]
    assert operation["tags"] == ["actions"]
    ids = [each["operationId"] for path in document["paths"].values() for each in path.values()]
    assert len(ids) == len(set(ids))


def test_every_reference_of_the_document_leads_somewhere(shop: Shop) -> None:
    class Error(BaseModel):
        """A schema of the host with the name of one of ours."""

        reason: str

    @shop.app.get("/error")
    def error() -> Error:
        return Error(reason="")

    document = documented(shop)

    OpenAPI.model_validate(document)
    text = json.dumps(document)
    names = {part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert names <= document["components"]["schemas"].keys()
    assert document["components"]["schemas"]["Error"]["properties"].keys() == {"reason"}


def test_the_documentation_can_be_without_the_actions(shop: Shop) -> None:
    document = documented(shop, is_shown=False)

    assert list(document["paths"]) == ["/me"]


def test_the_documentation_page_is_the_hosts_own(shop: Shop) -> None:
    documented(shop)

    page = shop.client().get("/docs")

    assert (page.status_code, "swagger-ui" in page.text) == (200, True)


def test_unauthorized_of_this_package_is_answered_with_its_code(shop: Shop) -> None:
    async def nobody() -> str:
        raise Unauthorized

    greeting(shop)
    mount(shop.app, shop.actions, identify=nobody)

    answer = shop.client().post("/api/_actions/greet", json={"word": "Hi"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "UNAUTHORIZED")


async def test_the_client_raises_what_the_host_refuses_and_does_not_repeat_it(shop: Shop) -> None:
    asked: list[str] = []

    async def refuse() -> str:
        asked.append("once")
        raise HTTPException(403, "Not in this plan.")

    greeting(shop)
    mount(shop.app, shop.actions, identify=refuse)

    async with connect(shop.app, "/api/_actions") as client:
        with pytest.raises(Forbidden, match="Not in this plan"):
            await client.call("greet", {"word": "Hi"})

    assert asked == ["once"]


def test_what_is_not_an_object_of_json_is_passed_on_as_it_is(shop: Shop) -> None:
    async def refuse() -> None:
        raise HTTPException(303, "Sign in.", {"location": "/sign-in"})

    async def told() -> None:
        raise LookupError

    @shop.app.exception_handler(LookupError)
    async def page(request: Request, exc: LookupError) -> Response:
        return Response("<h1>Gone</h1>", 410, media_type="text/html")

    @shop.actions.action
    async def moved(_: Annotated[None, Depends(refuse)]) -> None: ...

    @shop.actions.action
    async def gone(_: Annotated[None, Depends(told)]) -> None: ...

    mount(shop.app, shop.actions)

    with shop.client() as client:
        one = client.post("/api/_actions/moved", json={}, follow_redirects=False)
        other = client.post("/api/_actions/gone", json={})

    assert (one.headers["location"], one.json()) == ("/sign-in", {"detail": "Sign in."})
    assert (other.status_code, other.text) == (410, "<h1>Gone</h1>")


PROGRAM = """
import os
from typing import Annotated

from fastapi import Depends, FastAPI, Header
from pydantic import BaseModel
from yieldwire import Actions
from yieldwire.integrations.fastapi import mount


class User(BaseModel):
    name: str


async def user(x_user: Annotated[str, Header()]) -> User:
    return User(name=x_user)


actions = Actions(store="sqlite:///runs.db")


@actions.action(queue="slow")
async def greet(user: Annotated[User, Depends(user)]) -> tuple[str, int]:
    return user.name, os.getpid()


app = FastAPI()
mount(app, actions)
"""


def test_a_worker_in_another_process_gets_the_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "main.py").write_text(PROGRAM)
    monkeypatch.chdir(tmp_path)
    command = [sys.executable, "-m", "yieldwire.cli", "worker", "main.py"]

    with TestClient(runpy.run_path("main.py")["app"]) as client:
        start = {"prefer": "respond-async", "x-user": "ada"}
        run = client.post("/api/_actions/greet", json={}, headers=start).headers["location"]
        with subprocess.Popen(command) as worker:
            while (told := client.get(run, params={"wait": 20}).json())["status"] != "completed":
                assert told["status"] != "failed", told
            worker.terminate()

    assert told["result"] == ["ada", worker.pid]


def test_a_dialects_client_gets_the_same_values_and_refusals_in_its_own_form(shop: Shop) -> None:
    @shop.actions.action
    async def say_hello(user: CurrentUser) -> str:
        return f"Hello, {user.name}!"

    shop.actions.mount(NuxtActions())
    mount(shop.app, shop.actions)

    with shop.client() as client:
        client.headers["accept"] = "application/json"
        url, expired = "/api/_actions/say-hello", {"authorization": "Bearer expired"}
        answer = client.post(url, json={})
        refused = client.post(url, json={}, headers=expired)

    assert answer.json() == {"success": True, "data": "Hello, ada!"}
    assert (refused.json()["success"], refused.json()["error"]["message"]) == (
        False,
        "Sign in again.",
    )


class Filters(BaseModel):
    """What a dependency reads of the query."""

    limit: int = 10


def test_a_feed_and_its_dependencies_share_the_query(shop: Shop) -> None:
    def by_token(token: str) -> str:
        return token

    def limit(filters: Annotated[Filters, Query()]) -> int:
        return filters.limit

    @shop.actions.feed
    async def news(
        topic: str, limit: Annotated[int, Depends(limit)], ctx: Context
    ) -> AsyncIterator[Text]:
        yield Text(f"{topic}, {limit}, {ctx.owner}")

    mount(shop.app, shop.actions, identify=by_token)

    with shop.client() as client:
        answer = client.get("/api/_actions/news?topic=tea&limit=3&token=ada")
        unknown = client.get("/api/_actions/news?topic=tea&token=ada&other=1")

    assert "tea, 3, ada" in answer.text
    assert unknown.json()["error"]["fieldErrors"].keys() == {"other"}
