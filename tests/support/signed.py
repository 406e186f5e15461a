"""An application that knows who is signed in by the files of a folder, for several processes.

``RUNS_FILE`` is the store's file, and ``SESSIONS`` the folder: a bearer token is a file's name.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.requests import HTTPConnection

from tests.support.notes import LEASE, SWEEP
from yieldwire import Actions, Text, Timing, Unauthorized

SESSIONS = Path(os.environ["SESSIONS"])


def identify(request: HTTPConnection) -> str | None:
    """Return the owner of a session that there is."""
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    if not token:
        return None
    try:
        return (SESSIONS / token).read_text("ascii")
    except FileNotFoundError:
        raise Unauthorized from None


actions = Actions(
    identify=identify,
    store=f"sqlite:///{os.environ['RUNS_FILE']}",
    timing=Timing(lease=LEASE, sweep_every=SWEEP, grace=0.0),
)


@actions.action(linger=None)
async def wait() -> AsyncIterator[Text]:
    """Say something, and continue forever."""
    yield Text("waiting")
    await asyncio.Event().wait()


@actions.action
async def sign_out(token: str, *, cancel_runs: bool = False) -> str:
    """End a session, and what its owner has open."""
    session = SESSIONS / token
    owner = session.read_text("ascii")
    session.unlink()
    await actions.disconnect(owner, cancel_runs=cancel_runs)
    return owner


@actions.action
async def count_readers() -> int:
    """Return how many readers this process has."""
    return len(actions.site.sign_outs.readers)
