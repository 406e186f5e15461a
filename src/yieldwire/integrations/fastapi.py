"""FastAPI as a host: its dependencies reach actions, and its documentation shows them.

Theory of operation. For each kind of request to the actions there is a route of FastAPI that is
never matched: its function takes the dependencies. FastAPI resolves them when the route is called
with a request, and describes them as those of any other route; so its overrides, its exception
handlers and the exit code of its dependencies work as everywhere. The one module that imports
FastAPI.
"""

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AsyncExitStack
from enum import Enum
from inspect import Parameter, Signature, isawaitable
from typing import Annotated, Any, Final

from starlette.requests import HTTPConnection, Request
from starlette.types import Message

from yieldwire.actions.action import Action
from yieldwire.asgi import Actions
from yieldwire.asgi.host import HostAnswer, HostFailure, Identify, Known
from yieldwire.describe.merging import merged
from yieldwire.describe.openapi import document
from yieldwire.errors import Json, MissingDependency, UsageError, YieldwireError
from yieldwire.integrations.mounting import PATH, Hosted, checked
from yieldwire.integrations.starlette import mount_in

try:
    from fastapi import Depends, FastAPI, params
    from fastapi.dependencies.models import Dependant
    from fastapi.openapi.utils import get_openapi
    from fastapi.routing import APIRoute
except ImportError as _exc:
    raise MissingDependency("fastapi", "fastapi", "yieldwire.integrations.fastapi") from _exc

_REQUEST: Final = "yieldwire_request"
_OWNER: Final = "yieldwire_owner"
"""Names of parameters that no action has."""
_VALUES: Final = "yieldwire.values"
"""Where a route leaves what was resolved, in the scope of its request."""
_FASTAPIS: Final = frozenset({"operationId", "tags"})
"""What FastAPI itself says of an operation."""
_FILES: Final = "fastapi_middleware_astack"
"""Where a route of FastAPI expects an exit stack; its application adds one."""


def mount(  # noqa: PLR0913 - settings, each by its name
    app: FastAPI,
    actions: Actions,
    path: str = PATH,
    *,
    identify: Callable[..., Any] | None = None,
    dependencies: Sequence[params.Depends] = (),
    tags: Sequence[str | Enum] = ("actions",),
    include_in_schema: bool = True,
) -> None:
    """Mount ``actions`` in ``app``: with its lifespan, its dependencies and its documentation.

    An action takes what a dependency returns as a parameter, such as
    ``user: Annotated[User, Depends(current_user)]``. It is resolved once, from the request that
    starts a run, after the guards; what a dependency holds open is closed before the run exists.
    The value is kept with the run as JSON.

    Args:
        app: The host application.
        actions: The actions.
        path: The path prefix for the actions.
        identify: A dependency that returns the owner: a name, an `Identity`, or ``None`` for an
            anonymous caller. It is resolved for every request.
        dependencies: Resolved for every request, before its caller is identified, to refuse it.
        tags: The tags of the actions in the documentation.
        include_in_schema: Whether the documentation has the actions.

    Raises:
        UsageError: If something cannot be mounted there, if a dependency reads the body, or if
            there are two ``identify``.
    """
    if not isinstance(app, FastAPI):  # pyright: ignore[reportUnnecessaryIsInstance] - a mistake
        raise UsageError(
            f"mount takes a FastAPI() first, not {type(app).__name__}; for a Starlette() there is "
            "yieldwire.integrations.starlette.mount."
        )
    host = FastAPIHost(app, actions, checked(actions, path), identify, dependencies)
    mount_in(app, actions, path, Hosted(actions, host))
    host.check()
    if include_in_schema:
        app.openapi = _Documentation(app, host, tags)  # type: ignore[method-assign]


class FastAPIHost:
    """FastAPI as the host of the actions at one path; `mount` has the arguments."""

    def __init__(
        self,
        app: FastAPI,
        actions: Actions,
        path: str,
        identify: Callable[..., Any] | None,
        dependencies: Sequence[params.Depends],
    ) -> None:
        self.actions: Final = actions
        self.path: Final = path
        self._app, self._dependencies = app, list(dependencies)
        self._owner: list[Parameter] = []
        if identify is not None:
            owner = Annotated[Any, Depends(identify)]
            self._owner = [Parameter(_OWNER, Parameter.KEYWORD_ONLY, annotation=owner)]
        self._every = self._route("/", "GET", self._owner, self._dependencies)
        self._starts: dict[Action[..., Any, Any], APIRoute] = {}

    def check(self) -> None:
        """Return if it can resolve what the actions need.

        Raises:
            UsageError: If it cannot.
        """
        if self._owner and self.actions.site.identify is not None:
            raise UsageError("Give identify= to Actions() or to mount(), not to both.")
        for action in self.actions.app.registry.actions:
            self._start(action)

    @property
    def identify(self) -> Identify | None:
        """Identifies the sender of a request, if a dependency is needed for that."""
        return self._identify if self._owner or self._dependencies else None

    async def _identify(self, request: HTTPConnection) -> Known:
        values = await _resolved(self._every, request.scope)
        if self._owner:
            owner: Known = values[_OWNER]
            return owner
        identify = self.actions.site.identify
        known = None if identify is None else identify(request)
        return await known if isawaitable(known) else known

    async def resolve(
        self, request: Request, action: Action[..., Any, Any], /
    ) -> Mapping[str, object]:
        """Return the values of an action's dependencies for the request that starts a run."""
        return await _resolved(self._start(action), request.scope)

    def reads_of_query(self, action: Action[..., Any, Any], /) -> AbstractSet[str]:
        """Return what dependencies read of the query."""
        routes = (self._every, self._start(action))
        return {name for route in routes for name in _query_names(route.dependant)}

    def _start(self, action: Action[..., Any, Any]) -> APIRoute:
        if action not in self._starts:
            parameters = _parameters(action)
            self._starts[action] = self._route(f"/{action.name}", action.method, parameters)
        return self._starts[action]

    def describing(self, path: str, method: str, name: str, tags: Sequence[str | Enum]) -> APIRoute:
        """Return a route that describes everything that is resolved for a request."""
        action = self.actions.app.registry.find(path.removeprefix("/"))
        own = [] if action is None else _parameters(action)
        parameters = [*self._owner, *own]
        return self._route(path, method, parameters, self._dependencies, tags=tags, name=name)

    def _route(
        self,
        path: str,
        method: str,
        parameters: Sequence[Parameter],
        dependencies: Sequence[params.Depends] = (),
        *,
        tags: Sequence[str | Enum] = (),
        name: str | None = None,
    ) -> APIRoute:
        route = APIRoute(
            self.path + path,
            _taking(parameters),
            name=name or path.strip("/"),
            methods=[method.upper()],
            dependencies=dependencies,
            tags=list(tags),
            response_model=None,
            dependency_overrides_provider=self._app,
            generate_unique_id_function=self._app.router.generate_unique_id_function,
        )
        if route.body_field is not None:
            names = ", ".join(repr(each.name) for each in route.dependant.body_params)
            raise UsageError(
                f"A dependency of {self.path + path} reads the body{names and f' ({names})'}, "
                "which is the input of the action: take the value as a parameter of the action, or "
                "from the query, a header or a cookie."
            )
        return route


def _parameters(action: Action[..., Any, Any]) -> Sequence[Parameter]:
    own = (each.parameter for each in action.signature.dependencies.values())
    return [each.replace(kind=Parameter.KEYWORD_ONLY) for each in own]


def _query_names(dependant: Dependant) -> Iterator[str]:
    for field in dependant.query_params:
        yield field.alias
        for name, each in getattr(field.field_info.annotation, "model_fields", {}).items():
            yield each.alias or name
    for inner in dependant.dependencies:
        yield from _query_names(inner)


def _taking(parameters: Sequence[Parameter]) -> Callable[..., Any]:
    """Return a function with these parameters that leaves their values in the request's scope."""

    async def take(**values: Any) -> None:  # noqa: ANN401 - FastAPI's own values
        request: Request = values.pop(_REQUEST)
        request.scope[_VALUES] = values

    request = Parameter(_REQUEST, Parameter.KEYWORD_ONLY, annotation=Request)
    take.__signature__ = Signature([request, *parameters])  # type: ignore[attr-defined]
    return take


async def _resolved(route: APIRoute, scope: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Call a route with a request, and return the values that its function was called with."""
    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)

    async with AsyncExitStack() as files:
        own: dict[str, Any] = {**scope, _FILES: files}
        try:
            await route.app(own, _receive, send)
        except YieldwireError:
            raise
        except Exception as exc:
            raise HostFailure from exc
    if _VALUES not in own:
        raise HostAnswer(messages)
    values: Mapping[str, Any] = own[_VALUES]
    return values


async def _receive() -> Message:
    raise UsageError(
        "A dependency of an action reads the body of the request, which is the input of the action."
    )


class _Documentation:
    """The OpenAPI document of an application, with the actions that are mounted in it."""

    def __init__(self, app: FastAPI, host: FastAPIHost, tags: Sequence[str | Enum]) -> None:
        self._app, self._host, self._tags = app, host, tags
        self._without = app.openapi
        self._source: dict[str, Any] | None = None
        self._document: dict[str, Any] = {}

    def __call__(self) -> dict[str, Any]:
        source = self._without()
        if source is not self._source:
            self._source, self._document = source, self._described(source)
        return self._document

    def _described(self, source: Json) -> dict[str, Json]:
        site, base = self._host.actions.site, self._host.path
        own = document(
            site.app.registry.actions,
            about=site.openapi,
            names_webhooks=site.app.webhooks.can_be_named,
        )
        paths: dict[str, Json] = {}
        routes: list[APIRoute] = []
        for path, methods in own["paths"].items():
            paths[base + path] = {}
            for method, operation in methods.items():
                name = operation["operationId"]
                routes.append(self._host.describing(path, method, name, self._tags))
                kept = {key: operation[key] for key in operation if key not in _FASTAPIS}
                paths[base + path][method] = kept
        resolved = get_openapi(
            title=self._app.title,
            version=self._app.version,
            openapi_version=self._app.openapi_version,
            routes=routes,
            separate_input_output_schemas=self._app.separate_input_output_schemas,
        )
        for operation in (each for path in resolved["paths"].values() for each in path.values()):
            operation["responses"].pop("200", None)  # of a function that nothing calls
        described = {"paths": paths, "components": own["components"], "openapi": own["openapi"]}
        return merged(merged(source, resolved), described)
