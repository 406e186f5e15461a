"""``manage.py yieldwire``: the command line, for the application of ``ASGI_APPLICATION``."""

import importlib.util
import os
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    """Runs ``yieldwire <command> <asgi.py> ...``."""

    help = "Run the command line of Yieldwire for this project: dev, serve, worker, call, runs ..."

    def run_from_argv(self, argv: list[str]) -> None:
        """Replace this process by the command."""
        _, _, *arguments = argv
        if arguments and not arguments[0].startswith("-"):
            arguments.insert(1, application())
        # The folder of manage.py, from which the project is imported.
        folders = [sys.path[0], *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}
        command = [sys.executable, "-m", "yieldwire.cli", *arguments]
        os.execve(sys.executable, command, environment)  # noqa: S606 - this package's own program

    def handle(self, *_: Any, **__: Any) -> None:  # noqa: ANN401 - as Django calls it
        """Refuse to be called from code, because a command ends its process."""
        raise CommandError("Run it from the command line: manage.py yieldwire dev")


def application() -> str:
    """Return the file of the project's ASGI application, and its name in it.

    Raises:
        CommandError: If the project does not say which it is.
    """
    path = getattr(settings, "ASGI_APPLICATION", None)
    if not path:
        name = settings.ROOT_URLCONF.rpartition(".")[0]
        path = f"{name}.asgi.application" if name else "asgi.application"
    module, _, name = path.rpartition(".")
    found = importlib.util.find_spec(module) if module else None
    if found is None or found.origin is None:
        raise CommandError(
            f"There is no module {module!r}; set ASGI_APPLICATION to the path of the application "
            "that yieldwire.integrations.django.mount returns, such as 'shop.asgi.application'."
        )
    return f"{found.origin}:{name}"
