"""An application that sends a webhook, and is killed or restarted meanwhile.

``RUNS_FILE`` is the store's file, ``HOOK_URL`` the receiver's address.
"""

import os

from tests.support.receiver import SECRET
from yieldwire import Actions
from yieldwire.webhooks import Webhook

actions = Actions(
    store=f"sqlite:///{os.environ['RUNS_FILE']}",
    webhooks=[Webhook(os.environ["HOOK_URL"], SECRET, allow_private=True, schedule=[0.1] * 100)],
)


@actions.action
async def double(n: int) -> int:
    """Return twice the number."""
    return 2 * n
