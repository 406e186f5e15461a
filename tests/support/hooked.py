"""An application that sends a webhook, and is killed or restarted meanwhile.

``RUNS_FILE`` is the store's file, ``HOOK_URL`` the receiver's address. With ``KILLED_BY`` it kills
itself as soon as the log of a run has an event of this type.
"""

import os
import signal

from tests.support.receiver import SECRET
from yieldwire import Actions, Context
from yieldwire.hooks import Hooks
from yieldwire.log.events import Block
from yieldwire.log.run import RunRecord
from yieldwire.webhooks import Webhook


class Killer(Hooks):
    """Kills the process before anything else can be done about an event."""

    def block_appended(self, run: RunRecord, block: Block, /) -> None:
        """Look for the event."""
        if os.environ.get("KILLED_BY") in [event.type for event in block.events()]:
            os.kill(os.getpid(), signal.SIGKILL)


HOOK = Webhook(
    os.environ["HOOK_URL"],
    SECRET,
    events={"ended", "question"},
    allow_private=True,
    schedule=[0.1] * 100,
)
actions = Actions(store=f"sqlite:///{os.environ['RUNS_FILE']}", webhooks=[HOOK], hooks=[Killer()])


@actions.action
async def double(n: int) -> int:
    """Return twice the number."""
    return 2 * n


@actions.action(asks=bool)
async def approve(ctx: Context) -> bool:
    """Ask whether to publish."""
    return await ctx.ask(bool, "Publish?")
