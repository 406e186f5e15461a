"""Django as a host: an app for ``INSTALLED_APPS``, and one line in ``asgi.py``.

INSTALLED_APPS = [..., "yieldwire.integrations.django"]
YIELDWIRE_ACTIONS = "contacts.actions.actions"

application = mount(get_asgi_application())
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from yieldwire.integrations.django.mounting import mount, session_user

__all__ = ["mount", "session_user"]


def __getattr__(name: str) -> object:
    # Django imports this package before its apps are ready; what these import needs them.
    if name in __all__:
        from yieldwire.integrations.django import mounting  # noqa: PLC0415

        return getattr(mounting, name)
    raise AttributeError(name)
