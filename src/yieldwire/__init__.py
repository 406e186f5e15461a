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

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - files can be on the path of an older Python
    # With its name, the error is one line also for `python -m yieldwire.cli`.
    raise ImportError(
        "Yieldwire needs Python 3.11 or newer, and this is Python %d.%d." % sys.version_info[:2],  # noqa: UP031 - an older Python reads it
        name="yieldwire",
    )

from yieldwire.actions.action import Action
from yieldwire.actions.context import Context
from yieldwire.actions.marker import Body
from yieldwire.actions.ratelimit import RateLimit
from yieldwire.actions.resource import Resource, Use
from yieldwire.actions.retry import Retry
from yieldwire.actions.run import Run
from yieldwire.actions.stream import Stream, StreamableValue
from yieldwire.actions.track import track
from yieldwire.actions.upload import Upload
from yieldwire.asgi import Actions
from yieldwire.asgi.pages import Pages
from yieldwire.asgi.requestlimits import RequestLimits
from yieldwire.clock import Timing
from yieldwire.describe.openapi import OpenAPI
from yieldwire.errors import (
    ActionError,
    Forbidden,
    NotFound,
    RateLimited,
    Unauthorized,
    YieldwireError,
)
from yieldwire.executors import RunLimits
from yieldwire.log.chunks import Progress, Result, Text
from yieldwire.log.events import Event
from yieldwire.runs.access import Caller, Identity

__all__ = [
    "Action",
    "ActionError",
    "Actions",
    "Body",
    "Caller",
    "Context",
    "Event",
    "Forbidden",
    "Identity",
    "NotFound",
    "OpenAPI",
    "Pages",
    "Progress",
    "RateLimit",
    "RateLimited",
    "RequestLimits",
    "Resource",
    "Result",
    "Retry",
    "Run",
    "RunLimits",
    "Stream",
    "StreamableValue",
    "Text",
    "Timing",
    "Unauthorized",
    "Upload",
    "Use",
    "YieldwireError",
    "track",
]
