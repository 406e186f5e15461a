"""The app: it imports the actions when Django is ready, and gives their runs a database."""

import sys
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from yieldwire.asgi import Actions
from yieldwire.integrations.mounting import PATH


class YieldwireConfig(AppConfig):
    """Actions in a project of Django."""

    name = "yieldwire.integrations.django"
    label = "yieldwire"
    mounted_at: str = PATH
    """The path prefix for the actions. `mount` sets it."""

    def ready(self) -> None:
        """Import the actions, which import models."""
        from yieldwire.integrations.django.database import own_connections  # noqa: PLC0415

        self.actions: Actions = imported()
        if own_connections not in self.actions.app.registry.outermost:
            self.actions.app.registry.outermost.append(own_connections)
        checks.register(check_server)


def imported() -> Actions:
    """Return the actions of the setting ``YIELDWIRE_ACTIONS``.

    Raises:
        ImproperlyConfigured: If it does not name an `Actions`.
    """
    path = getattr(settings, "YIELDWIRE_ACTIONS", None)
    wanted = "the dotted path of an Actions(), such as 'contacts.actions.actions'"
    if not isinstance(path, str):
        raise ImproperlyConfigured(f"YIELDWIRE_ACTIONS must be {wanted}.")
    actions = import_string(path)
    if not isinstance(actions, Actions):
        raise ImproperlyConfigured(f"YIELDWIRE_ACTIONS must be {wanted}; {path} is another object.")
    return actions


def check_server(**_: Any) -> list[checks.CheckMessage]:  # noqa: ANN401 - as Django calls it
    """Warn if Django's own server is started, which is a WSGI server."""
    is_wsgi = sys.argv[1:2] == ["runserver"] and "daphne" not in settings.INSTALLED_APPS
    if not is_wsgi:
        return []
    return [
        checks.Warning(
            "`runserver` is a WSGI server: it answers a request as a whole, so actions cannot "
            "stream, and it does not answer them.",
            hint="Run `manage.py yieldwire dev`, or add 'daphne' to INSTALLED_APPS, first.",
            id="yieldwire.W001",
        )
    ]
