"""What a balancer asks: whether to send requests to this process, and whether it lives at all."""

from yieldwire.app.health import State
from yieldwire.asgi.exchange import Exchange
from yieldwire.asgi.site import Site
from yieldwire.runs.access import Caller


async def answer_health(site: Site, exchange: Exchange, _caller: Caller) -> None:
    """Answer ``GET {base}/health``: 503 if this process is stopping, or has no store."""
    state = await site.health.state()
    await exchange.answer_json(200 if state is State.OK else 503, {"status": state.value})


async def answer_alive(_site: Site, exchange: Exchange, _caller: Caller) -> None:
    """Answer ``GET {base}/health/live``: always with 200, for what restarts dead processes."""
    await exchange.answer_json(200, {"status": State.OK.value})
