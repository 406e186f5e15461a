"""Actions in Django: tests in its own style, in the project of the guide, and its processes."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.djangoproject import manage, project_of_guide, run
from tests.support.ports import free_port

pytestmark = pytest.mark.timeout(300)  # many processes, each of which imports Django

TESTS = """
import asyncio
import threading
from contextlib import asynccontextmanager

from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.test import Client, SimpleTestCase, TransactionTestCase, override_settings
from yieldwire import Context, Unauthorized
from yieldwire.client import AsyncClient
from yieldwire.errors import CallError, UsageError
from yieldwire.integrations.django import mount
from yieldwire.testing import connect

from contacts.actions import actions
from contacts.models import Contact


@actions.action
def blocking_connection() -> str:
    Contact.objects.count()
    opened.append(connection.connection)
    return threading.current_thread().name


@actions.action
async def many(other: str) -> int:
    first = await Contact.objects.acount()
    await gate.wait()
    return first + await Contact.objects.acount()


opened = []
gate = asyncio.Event()


@asynccontextmanager
async def client_of(application, name=None, **headers):
    if name is not None:
        user = await User.objects.acreate_user(name)
        browser = Client()
        await sync_to_async(browser.force_login)(user)
        headers["cookie"] = f"sessionid={browser.cookies['sessionid'].value}"
    async with connect(application, "/api/_actions", **headers) as client:
        yield client


@override_settings(ALLOWED_HOSTS=["localhost"])
class HostTests(TransactionTestCase):
    async def test_an_anonymous_caller_has_no_owner(self):
        async with client_of(mount(get_asgi_application())) as client:
            self.assertEqual(await client.call("find_contacts", {"part": "x"}), [])

    async def test_a_function_that_blocks_identifies_with_the_orm(self):
        def owner(request):
            if not request.user.is_authenticated:
                raise Unauthorized
            return User.objects.get(pk=request.user.pk).username

        application = mount(get_asgi_application(), identify=owner)
        async with client_of(application, "ada") as client:
            await client.call("import_contacts", {"emails": ["a@b.example"]})
        async with client_of(application) as stranger:
            with self.assertRaises(CallError) as refused:
                await stranger.call("import_contacts", {"emails": []})

        self.assertEqual((await Contact.objects.aget()).owner, "ada")
        self.assertEqual(refused.exception.status, 401)

    async def test_a_host_that_the_project_does_not_allow_is_refused(self):
        with self.settings(ALLOWED_HOSTS=["other.example"]):
            async with client_of(mount(get_asgi_application())) as client:
                with self.assertRaisesMessage(CallError, "ALLOWED_HOSTS"):
                    await client.call("find_contacts", {"part": "x"})

    async def test_with_csrf_a_change_needs_the_token_of_django(self):
        application = mount(get_asgi_application(), csrf=True)
        token = "a" * 32
        async with client_of(application) as client:
            with self.assertRaisesMessage(CallError, "X-CSRFToken"):
                await client.call("find_contacts", {"part": "x"})
        async with client_of(
            application, cookie=f"csrftoken={token}", x_csrftoken=token
        ) as client:
            self.assertEqual(await client.call("find_contacts", {"part": "x"}), [])

    async def test_a_blocking_action_closes_the_connection_of_its_thread(self):
        opened.clear()
        async with client_of(mount(get_asgi_application())) as client:
            thread = await client.call("blocking_connection")

        self.assertEqual(thread, "yieldwire action")
        self.assertEqual(len(opened), 1)

    async def test_a_run_that_a_request_starts_uses_the_orm_after_its_answer(self):
        async with client_of(mount(get_asgi_application())) as client:
            run = await client.start("many", {"other": "x"})
            await Contact.objects.acreate(email="a@b.example")
            gate.set()
            self.assertIn(await run.result(), {1, 2})


class MountTests(SimpleTestCase):
    def test_wsgi_is_refused_with_the_reason(self):
        with self.assertRaisesMessage(UsageError, "an action cannot stream"):
            mount(get_wsgi_application())
"""


ADMIN = """
import asyncio
from contextlib import asynccontextmanager
from unittest.mock import patch

from django.contrib.admin.utils import quote
from django.contrib.auth.models import Permission, User
from django.test import AsyncClient, TransactionTestCase
from yieldwire.errors import NotFound, StoreError
from yieldwire.log.run import Status
from yieldwire.stores import Query

from contacts.actions import actions


@actions.action(linger=None)
async def print_labels(name: str) -> None:
    await asyncio.Event().wait()


@asynccontextmanager
async def opened():
    # Open the actions, and cancel what still runs, so that the close need not wait for it.
    async with actions.lifespan():
        yield
        for run in await actions.app.find(Query(everyone=True)):
            await actions.app.cancel(run.id)


LIST = "/admin/yieldwire/run/"


class AdminTests(TransactionTestCase):
    async def staff(self, *permissions, checks_csrf=False):
        user = await User.objects.acreate_user("ada", is_staff=True)
        found = Permission.objects.filter(codename__in=permissions)
        await user.user_permissions.aset([each async for each in found])
        client = AsyncClient(enforce_csrf_checks=checks_csrf)
        await client.aforce_login(user)
        return client

    async def test_staff_without_the_permission_is_refused(self):
        client = await self.staff()
        async with opened():
            run = await actions.start(print_labels, name="x")
            answers = [await client.get(path) for path in (LIST, f"{LIST}{quote(run.id)}/change/")]

        self.assertEqual([answer.status_code for answer in answers], [403, 403])

    async def test_who_can_view_runs_can_filter_but_not_cancel_them(self):
        client = await self.staff("view_run")
        async with opened():
            run = await actions.start.with_options(owner="o&o")(print_labels, name="<x>")
            found = [
                [row["id"] for row in (await client.get(LIST, query)).context["rows"]]
                for query in (
                    {"owner": "o&o", "status": "completed"},
                    {"action": "find_contacts"},
                    {"owner": "other"},
                    {"action": "print_labels", "owner": "o&o", "status": "nonsense"},
                )
            ]
            page = await client.get(f"{LIST}{quote(run.id)}/change/")
            refused = [
                await client.post(LIST, {"run": run.id}),
                await client.post(f"{LIST}{quote(run.id)}/change/"),
            ]
            missing = await client.get(f"{LIST}nothing/change/")
            snapshot = await run.snapshot()

        self.assertEqual(found, [[], [], [], [run.id]])
        self.assertContains(page, "&lt;x&gt;")
        self.assertNotContains(page, "Cancel run")
        self.assertEqual([each.status_code for each in refused], [403, 403])
        self.assertEqual(missing.status_code, 404)
        self.assertFalse(snapshot["cancelRequested"])

    async def test_a_cancel_needs_the_token_of_django(self):
        client = await self.staff("view_run", "change_run", checks_csrf=True)
        async with opened():
            run = await actions.start(print_labels, name="x")
            refused = await client.post(LIST, {"run": run.id})
            token = (await client.get(LIST)).context["csrf_token"]
            data = {"run": [run.id, "nothing"], "csrfmiddlewaretoken": str(token)}
            answer = await client.post(LIST, data)
            record = await actions.app.store.get(run.id)

        self.assertEqual((refused.status_code, answer.status_code), (403, 302))
        self.assertEqual(record.status, Status.CANCELLED)

    async def test_a_list_is_continued_on_another_page(self):
        client = await self.staff("view_run")
        async with opened():
            for _ in range(3):
                await actions.start.with_options(owner="many")(print_labels, name="x")
            with patch("yieldwire.integrations.django.admin.PAGE", 2):
                first = await client.get(LIST, {"owner": "many"})
                second = await client.get(LIST + first.context["next"])

        self.assertEqual([len(page.context["rows"]) for page in (first, second)], [2, 1])

    async def test_a_run_that_is_gone_or_cannot_be_read_does_not_take_the_list_with_it(self):
        client = await self.staff("view_run")
        async with opened():
            run = await actions.start.with_options(owner="lost")(print_labels, name="x")
            for error in (NotFound("gone"), StoreError("a damaged log")):
                with patch("yieldwire.app.App.snapshot", side_effect=error):
                    page = await client.get(LIST, {"owner": "lost"})
                self.assertContains(page, quote(run.id))  # only in the URL

    def test_a_wsgi_server_does_not_have_the_runs(self):
        self.client.force_login(User.objects.create_superuser("eve"))

        self.assertEqual(self.client.get(LIST).status_code, 404)
"""


THREADS = """
import asyncio
import threading

import django
from asgiref.sync import ThreadSensitiveContext, sync_to_async

django.setup()

from django.db import connection

from contacts.actions import actions
from contacts.models import Contact

gate = asyncio.Event()
thread_of = sync_to_async(lambda: threading.current_thread().name)
is_connected = sync_to_async(lambda: connection.connection is not None)


@actions.action
async def look(name: str) -> list[object]:
    await Contact.objects.acount()
    first = await thread_of()
    await gate.wait()
    return [first, await thread_of(), await is_connected(), await Contact.objects.acount()]


async def main():
    async with actions.lifespan():
        async with ThreadSensitiveContext():  # as Django has around each request
            await Contact.objects.acount()
            of_request = await thread_of()
            runs = [await actions.start(look, name=name) for name in "ab"]
        gate.set()
        one, other = [await run.result() for run in runs]
    print(len({of_request, one[0], other[0]}), one[0] == one[1], one[2], one[3])


asyncio.run(main())
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project of the guide, with a database."""
    folder = project_of_guide(tmp_path_factory.mktemp("django"))
    manage(folder, "migrate")
    return folder


def test_sign_in_hosts_tokens_permissions_and_the_orm_are_those_of_django(project: Path) -> None:
    (project / "contacts/tests_host.py").write_text(TESTS)
    (project / "contacts/tests_admin.py").write_text(ADMIN)

    told = manage(project, "test", "--pattern", "tests_*.py")

    assert "Ran 13 tests" in told


def test_each_run_has_a_thread_and_a_connection_that_outlive_the_request(project: Path) -> None:
    environment = {"DJANGO_SETTINGS_MODULE": "shop.settings"}

    told = run(project, "-c", THREADS, environment=environment)

    assert told.split() == ["3", "True", "True", "0"]


def test_a_project_without_the_setting_is_told_what_to_write(project: Path) -> None:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "without"}
    (project / "without.py").write_text(
        'INSTALLED_APPS = ["yieldwire.integrations.django"]\nYIELDWIRE_ACTIONS = None\n'
    )

    done = subprocess.run(
        [sys.executable, "-m", "django", "check"],
        cwd=project,
        env={**environment, "PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert "YIELDWIRE_ACTIONS must be the dotted path of an Actions()" in done.stderr


def test_the_command_line_is_a_command_of_the_project(project: Path) -> None:
    told = manage(project, "yieldwire", "call", "find_contacts", "part=x")

    assert told.strip() == "[]"


def test_runserver_warns_that_it_is_a_wsgi_server(project: Path) -> None:
    with served(project, "runserver", "--noreload") as (_, read):
        told = read("Quit the server")

    assert "yieldwire.W001" in told


def test_the_project_is_served_with_its_admin_its_static_files_and_its_actions(
    project: Path,
) -> None:
    with (
        served(project, "yieldwire", "serve", "--port", "{port}") as (port, read),
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as http,
    ):
        read("Yieldwire serves")
        page = http.get("/admin/login/")
        style = http.get("/static/admin/css/base.css")
        answer = http.post("/api/_actions/find_contacts", json={"part": "x"})

    assert (page.status_code, style.status_code) == (200, 200)
    assert answer.json()["result"] == []


@contextmanager
def served(
    folder: Path, *arguments: str
) -> Generator[tuple[int, Callable[[str], str]], None, None]:
    """Run a server of the project, and return its port and a function that reads to a text."""
    port = free_port()
    places = [each.format(port=port) for each in arguments]
    if "runserver" in arguments:
        places.append(f"127.0.0.1:{port}")
    process = subprocess.Popen(
        [sys.executable, "manage.py", *places],
        cwd=folder,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )

    def read(until: str) -> str:
        told = ""
        assert process.stdout is not None
        while until not in told and (line := process.stdout.readline()):
            told += line
        assert until in told, told
        return told

    try:
        yield port, read
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
