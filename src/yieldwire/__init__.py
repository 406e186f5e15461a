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

from yieldwire.access import Caller as Caller
from yieldwire.access import Identity as Identity
from yieldwire.actions import Action as Action
from yieldwire.app import Timing as Timing
from yieldwire.asgi import Actions as Actions
from yieldwire.asgi.bounds import Bounds as Bounds
from yieldwire.chunks import Progress as Progress
from yieldwire.chunks import Result as Result
from yieldwire.chunks import Text as Text
from yieldwire.context import Context as Context
from yieldwire.context import Resource as Resource
from yieldwire.context import Stream as Stream
from yieldwire.context import StreamableValue as StreamableValue
from yieldwire.errors import ActionError as ActionError
from yieldwire.errors import Forbidden as Forbidden
from yieldwire.errors import NotFound as NotFound
from yieldwire.errors import RateLimited as RateLimited
from yieldwire.errors import Unauthorized as Unauthorized
from yieldwire.errors import YieldwireError as YieldwireError
from yieldwire.events import Event as Event
from yieldwire.executors import Limits as Limits
from yieldwire.handle import Run as Run
from yieldwire.marker import Body as Body
from yieldwire.middleware import RateLimit as RateLimit
from yieldwire.upload import Upload as Upload
