"""Requests to actions in a project of Django: their path, their host, and who sends them."""

from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction
from io import BytesIO
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.core.handlers.wsgi import WSGIHandler
from django.middleware.csrf import CsrfViewMiddleware
from django.utils.module_loading import import_string
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from yieldwire.asgi import Actions
from yieldwire.asgi.host import Known
from yieldwire.errors import Forbidden, ParseError, UsageError
from yieldwire.integrations.django.database import own_thread
from yieldwire.integrations.mounting import PATH, Hosted, IdentifyingHost, PathPrefix, checked

_USERS: Final = {
    "django.contrib.sessions": "SessionMiddleware",
    "django.contrib.auth": "AuthenticationMiddleware",
}
"""The middleware that finds a user, by its app. It imports models, so apps must be ready."""

_Identifying = Callable[[Any], Known | Awaitable[Known]]
"""Returns the owner for a request of Django, of which the session and the user are set."""


async def session_user(request: Any) -> str | None:  # noqa: ANN401 - a request of Django
    """Return the primary key of the user who is signed in, or ``None``."""
    if not hasattr(request, "auser"):
        return None  # the project has no users
    user = await request.auser()
    return str(user.pk) if user.is_authenticated else None


def mount(
    app: ASGIHandler,
    path: str = PATH,
    *,
    identify: _Identifying = session_user,
    csrf: bool = False,
) -> ASGIApp:
    """Return ``app`` with the actions of ``YIELDWIRE_ACTIONS`` below a path, for ``asgi.py``.

    The actions open and close with the lifespan of the server. With ``DEBUG``, static files of
    ``django.contrib.staticfiles`` are served too, as by ``runserver``.

    Args:
        app: What ``get_asgi_application()`` returns.
        path: The path prefix for the actions.
        identify: Returns the owner for a request of Django, of which ``session`` and ``user`` are
            set: a name, an `Identity`, or ``None`` for an anonymous caller. A function that is
            not asynchronous can use the ORM too.
        csrf: Whether requests that change something need Django's CSRF token in their header, in
            addition to the check of their origin.

    Raises:
        UsageError: If ``app`` is not an ASGI application of Django, or there are two ``identify``.
    """
    given: object = app
    if isinstance(given, WSGIHandler):
        raise UsageError(
            "mount takes get_asgi_application(), and this is a WSGI application: a WSGI server "
            "answers a request as a whole, so an action cannot stream, or see that its reader has "
            "left. Serve asgi.py, with uvicorn for example."
        )
    config: Any = apps.get_app_config("yieldwire")
    actions: Actions = config.actions
    config.mounted_at = checked(actions, path)
    if actions.site.identify is not None and identify is not session_user:
        raise UsageError("Give identify= to Actions() or to mount(), not to both.")
    own = actions.site.identify
    host = IdentifyingHost(_Finding(None if own is not None else identify, own, csrf=csrf))
    outer: Any = app
    if settings.DEBUG and apps.is_installed("django.contrib.staticfiles"):
        outer = ASGIStaticFilesHandler(app)
    return DjangoProject(PathPrefix(outer, config.mounted_at, Hosted(actions, host)), actions)


class DjangoProject:
    """A project with its actions, which are told when the server starts and stops."""

    def __init__(self, app: PathPrefix, actions: Actions) -> None:
        self.app: Final = app
        self._actions = actions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the project does; Django refuses a lifespan."""
        app = self._actions if scope["type"] == "lifespan" else self.app
        await app(scope, receive, send)


class _Finding:
    """Finds who sends a request, as Django's own middleware does.

    Args:
        identify: The function for a request of Django.
        own: The application's own ``identify`` instead.
        csrf: Whether a CSRF token is needed.
    """

    def __init__(self, identify: _Identifying | None, own: Any, *, csrf: bool) -> None:  # noqa: ANN401
        self._identify, self._own, self._csrf = identify, own, csrf
        self._users = [
            import_string(f"{app}.middleware.{name}")(_nothing)
            for app, name in _USERS.items()
            if apps.is_installed(app)
        ]
        self._token = CsrfViewMiddleware(_nothing)

    async def __call__(self, connection: HTTPConnection) -> Known:
        request = ASGIRequest(connection.scope, BytesIO())
        async with own_thread():
            await sync_to_async(self._prepare)(request)
            identify = self._identify
            known = self._own(connection) if identify is None else None
            if identify is not None and iscoroutinefunction(identify):
                known = identify(request)
            elif identify is not None:
                known = await sync_to_async(identify)(request)
            return await known if isinstance(known, Awaitable) else known

    def _prepare(self, request: Any) -> None:  # noqa: ANN401 - a request of Django
        try:
            request.get_host()
        except DisallowedHost as exc:
            raise ParseError("ALLOWED_HOSTS of the project does not have this host.") from exc
        for middleware in self._users:
            middleware.process_request(request)
        if self._csrf:
            self._token.process_request(request)
            if self._token.process_view(request, _nothing, (), {}) is not None:
                raise Forbidden("The CSRF token is missing or wrong; send the header X-CSRFToken.")


def _nothing(request: Any) -> Any:  # noqa: ANN401 - as Django calls it
    """Return nothing, in place of the view that middleware wraps."""
