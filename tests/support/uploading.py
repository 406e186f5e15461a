"""An application whose files are in an object store, and whose runs are executed by a worker.

In a worker's process ``STORE``, ``PREFIX`` and ``FILES`` say where runs and files are kept.
"""

import os

from tests.support.direct import SECRET
from yieldwire import Actions, Upload
from yieldwire.stores.redis import RedisStore


def application(store: str, prefix: str, files: str) -> Actions:
    """Return the application."""
    actions = Actions(store=RedisStore(store, prefix=prefix, files=files), secret=SECRET)

    @actions.action(queue="files", linger=None)
    async def measure(file: Upload) -> dict[str, object]:
        content = await file.read()
        return {"size": len(content), "sha256": file.sha256(), "worker": os.getpid()}

    return actions


if "FILES" in os.environ:
    actions = application(os.environ["STORE"], os.environ["PREFIX"], os.environ["FILES"])
