"""Yieldwire: write a typed Python function that yields, and watch it run from anywhere.

    from yieldwire import Actions, Progress

    actions = Actions()

    @actions.action
    async def count(to: int) -> AsyncIterator[Progress]:
        for n in range(1, to + 1):
            await asyncio.sleep(0.1)
            yield Progress(n, total=to)

``actions`` is an ASGI application; ``yieldwire dev app.py`` serves it with a page to try it.
"""

from yieldwire.actions.action import Action as Action
from yieldwire.actions.context import Context as Context
from yieldwire.actions.context import Stream as Stream
from yieldwire.actions.context import StreamableValue as StreamableValue
from yieldwire.actions.marker import Body as Body
from yieldwire.actions.ratelimit import RateLimit as RateLimit
from yieldwire.actions.resource import Resource as Resource
from yieldwire.actions.resource import Use as Use
from yieldwire.actions.upload import Upload as Upload
from yieldwire.asgi import Actions as Actions
from yieldwire.asgi.pages import Pages as Pages
from yieldwire.asgi.requestlimits import RequestLimits as RequestLimits
from yieldwire.clock import Timing as Timing
from yieldwire.errors import ActionError as ActionError
from yieldwire.errors import Forbidden as Forbidden
from yieldwire.errors import NotFound as NotFound
from yieldwire.errors import RateLimited as RateLimited
from yieldwire.errors import Unauthorized as Unauthorized
from yieldwire.errors import YieldwireError as YieldwireError
from yieldwire.executors import RunLimits as RunLimits
from yieldwire.log.chunks import Progress as Progress
from yieldwire.log.chunks import Result as Result
from yieldwire.log.chunks import Text as Text
from yieldwire.log.events import Event as Event
from yieldwire.runs.access import Caller as Caller
from yieldwire.runs.access import Identity as Identity
from yieldwire.runs.handle import Run as Run
