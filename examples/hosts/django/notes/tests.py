"""Tests as Django's own documentation writes them."""

from asgiref.sync import sync_to_async
from django.test import Client, TransactionTestCase, override_settings
from shop.asgi import application

from notes.models import Note
from yieldwire.errors import CallError
from yieldwire.testing import connect


@override_settings(ALLOWED_HOSTS=["localhost", "testserver"])
class NoteTests(TransactionTestCase):
    """Actions over HTTP, in process."""

    async def test_an_import_belongs_to_the_user_who_is_signed_in(self) -> None:
        """The session cookie of Django identifies the caller."""
        browser = Client()
        await sync_to_async(browser.post)("/sign-in/ada")
        cookie = f"sessionid={browser.cookies['sessionid'].value}"

        async with connect(application, "/api/_actions", cookie=cookie) as client:
            count = await client.call("import_notes", {"lines": ["tea", "milk"]})

        self.assertEqual((count, await Note.objects.acount()), (2, 2))

    async def test_nobody_imports_without_a_sign_in(self) -> None:
        """The answer is 401, before anything runs."""
        async with connect(application, "/api/_actions") as client:
            with self.assertRaises(CallError):
                await client.call("import_notes", {"lines": []})
