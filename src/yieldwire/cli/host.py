"""Finds actions in another application, and says why there are none."""

import inspect
from collections.abc import Iterator
from typing import Any, Final

from yieldwire.asgi import Actions
from yieldwire.errors import UsageError

_WITH_ROUTES: Final = frozenset({"fastapi", "litestar", "starlette"})
_WSGI: Final = frozenset({"bottle", "flask", "pyramid", "WSGIHandler"})
_DEEPEST: Final = 50
"""How far mounts and middleware are followed: more is a circle."""


def mounts_in(host: object) -> dict[str, Actions]:
    """Return the actions that are mounted in ``host``, by their paths.

    It reads the routes of Starlette and its like, such as FastAPI, of Litestar and of Quart, also
    below other mounts and behind middleware.
    """
    is_application = callable(host) and not isinstance(host, (type, Actions))
    return dict(_mounts(host, "", _DEEPEST)) if is_application else {}


def _mounts(value: object, path: str, depth: int) -> Iterator[tuple[str, Actions]]:
    if isinstance(value, Actions):
        yield path, value
        return
    routes = _member(value, "routes")
    if not depth:
        return
    if not isinstance(routes, list) or not routes:
        # A mount and middleware have what is inside as `app`, a route of Litestar as a handler, and
        # an application of Quart as `asgi_app`.
        inside = _member(_member(value, "route_handler"), "fn") or _member(value, "app")
        inside = inside or _member(value, "asgi_app")
        if inside is not None:
            yield from _mounts(inside, path, depth - 1)
        return
    for route in routes:
        yield from _mounts(route, path + str(_member(route, "path") or "").rstrip("/"), depth - 1)


def _member(value: object, name: str) -> Any:  # noqa: ANN401 - any object of the user's
    try:
        return getattr(value, name, None)
    except Exception:  # noqa: BLE001 - a proxy for what is not there yet
        return None


def is_factory(value: object) -> bool:
    """Whether ``value`` is a function that needs no arguments."""
    return inspect.isfunction(value) and not any(
        one.default is one.empty and one.kind not in {one.VAR_POSITIONAL, one.VAR_KEYWORD}
        for one in inspect.signature(value).parameters.values()
    )


def refusal(value: object, name: str, file: str) -> UsageError:
    """Return an error that says what to do with an object in which no actions are found."""
    kind, what = type(value).__name__, f"{name!r} in {file}"
    known = {kind, *(base.__module__.partition(".")[0] for base in type(value).__mro__)}
    if inspect.iscoroutine(value):
        value.close()
        return UsageError(f"{what} is a coroutine function; a factory must be a normal function.")
    if known & _WITH_ROUTES:
        return UsageError(
            f"{what} is a {kind} application without actions: mount them in it, such as with "
            'app.mount("/api/_actions", actions), or name an Actions() instead.'
        )
    if known & _WSGI:
        return UsageError(
            f"{what} is a WSGI application ({kind}), which cannot contain actions: put "
            f"`actions = Actions()` next to it, and serve that as {file}:actions."
        )
    if callable(value) and not isinstance(value, type):
        return UsageError(
            f"{what} is an application of the type {kind}, in which actions cannot be found: "
            f"name the Actions() that it contains, such as {file}:actions, to serve them alone."
        )
    of_kind = "a class" if isinstance(value, type) else f"of the type {kind}"
    return UsageError(f"{what} is {of_kind}, not Actions().")
