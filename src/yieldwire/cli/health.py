"""What a worker tells a supervisor: that it lives, that it is ready, and how long queues are."""

import asyncio
import sys
from collections.abc import Mapping, Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from yieldwire.app.health import State
from yieldwire.app.working import Depth
from yieldwire.asgi import Actions
from yieldwire.cli.queues import depths_of, described
from yieldwire.errors import StoreError


def health_app(applications: Sequence[Actions]) -> Starlette:
    """Return the application that answers on the port for health.

    ``/queues`` is JSON, ``/metrics`` the text format of Prometheus. Both ask the store. The
    latter also has what the application registers with prometheus-client.
    """

    async def live(_: Request) -> Response:
        return PlainTextResponse("live\n")

    async def ready(_: Request) -> Response:
        for actions in applications:
            state = await actions.site.health.state()
            if state is not State.OK:
                return PlainTextResponse(f"{state.value}\n", 503)
        return PlainTextResponse("ready\n")

    async def queues(request: Request) -> Response:
        is_scrape = request.url.path == "/metrics"
        registered = await asyncio.to_thread(_registered) if is_scrape else ""
        try:
            depths = await depths_of(applications)
        except StoreError as exc:
            if registered:  # they say how the store fails
                return PlainTextResponse(registered)
            return PlainTextResponse(f"{exc}\n", 503)
        if is_scrape:
            return PlainTextResponse(_metrics(depths) + registered)
        return JSONResponse(described(depths))

    routes = {"/live": live, "/ready": ready, "/queues": queues, "/metrics": queues}
    return Starlette(routes=[Route(path, endpoint) for path, endpoint in routes.items()])


def _metrics(depths: Mapping[str, Depth]) -> str:
    gauges = {
        "yieldwire_queue_waiting": ("Runs that wait.", 0),
        "yieldwire_queue_oldest_seconds": ("For how long the oldest of them has waited.", 1),
    }
    lines = list[str]()
    for name, (text, place) in gauges.items():
        lines += [f"# HELP {name} {text}", f"# TYPE {name} gauge"]
        lines += [f'{name}{{queue="{queue}"}} {depth[place]}' for queue, depth in depths.items()]
    return "\n".join([*lines, ""])


def _registered() -> str:
    if "prometheus_client" not in sys.modules:
        return ""
    from yieldwire.integrations.prometheus import exposition  # noqa: PLC0415 - an extra

    return exposition()
