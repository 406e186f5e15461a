"""The guide to Django's ORM, as a project that `django-admin` starts, in processes of its own."""

from pathlib import Path

import pytest

from tests.support.djangoproject import manage, project_of_guide

pytestmark = pytest.mark.timeout(300)  # half a dozen processes, each of which imports Django

SERVED = """
import httpx
from django.contrib.auth.models import User
from django.test import TransactionTestCase

from contacts.actions import actions
from contacts.models import Contact
from shop.asgi import application


class ServedTests(TransactionTestCase):
    async def test_a_view_starts_a_run_and_the_actions_are_served_next_to_it(self):
        user = await User.objects.acreate_superuser("ada", password="secret")
        await self.async_client.aforce_login(user)
        session = self.async_client.cookies["sessionid"].value
        transport = httpx.ASGITransport(app=application)
        with self.settings(ALLOWED_HOSTS=["localhost"]):
            async with (
                actions.lifespan(),
                httpx.AsyncClient(transport=transport, base_url="http://localhost") as http,
            ):
                http.cookies.set("sessionid", session)
                form = await http.get("/admin/password_change/")
                token = form.cookies["csrftoken"]
                data = {"email": ["a@b", "c@d"], "csrfmiddlewaretoken": token}
                started = await http.post("/imports/", data=data)
                run = await actions.runs.get(started.json()["run"])
                added = await run.result()
                body = {"part": "c@"}
                found = await http.post(
                    "/api/_actions/find_contacts", json=body, headers={"Accept": "*/*"}
                )
                mine = await http.get("/api/_actions/runs")

        self.assertEqual((started.status_code, added), (202, 2))
        self.assertEqual(len(mine.json()["runs"]), 2)
        self.assertEqual(found.json()["result"], ["c@d"])

    async def test_a_batch_that_fails_is_rolled_back_alone(self):
        emails = [f"{n}@example.com" for n in range(150)]
        async with actions.lifespan():
            action = actions.app.registry.action_named("import_contacts")
            run = await actions.start(action, {"emails": [*emails, emails[0]]})
            with self.assertLogs("yieldwire.worker", "ERROR"), self.assertRaises(Exception):
                await run.result()

        self.assertEqual(await Contact.objects.acount(), 100)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project of the guide, with its files."""
    return project_of_guide(tmp_path)


def test_the_tests_of_the_guide_pass_and_its_project_serves_views_and_actions(
    project: Path,
) -> None:
    (project / "contacts/tests_served.py").write_text(SERVED)

    told = manage(project, "test", "--pattern", "tests*.py")

    assert "Ran 3 tests" in told
