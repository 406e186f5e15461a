"""Webhooks: signed requests that tell other services about runs, as Standard Webhooks 1.0.

Theory of operation. A run's record has the URLs that are told about it. The step of the store
that appends a question, or ends the run, creates a delivery for each of them, so no crash can
lose one. Each process claims deliveries that are due and sends them; a failed one is due again
later, in any process.
A delivery names its URL and no secret: how to send to it is looked up at each try.
"""

from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeAlias

from yieldwire.actions.action import Action
from yieldwire.setting import SECONDS, Rule, each, function_of, one_of, optional, settings
from yieldwire.webhooks.destination import is_url, shown_url
from yieldwire.webhooks.signature import SECRETS

SCHEDULE: Final = (
    5.0,
    5 * 60.0,
    30 * 60.0,
    2 * 3600.0,
    5 * 3600.0,
    10 * 3600.0,
    14 * 3600.0,
    20 * 3600.0,
    24 * 3600.0,
)
"""Seconds between a failed try and the next one, as Standard Webhooks advises: about three days."""

_URL: Final = Rule(
    is_url,
    "an https:// URL, or an http:// one of a private address, without a user and a fragment",
    is_secret=True,
)


def _is_action(value: object) -> bool:
    return isinstance(value, (str, Action))


WebhookEvent: TypeAlias = Literal["ended", "question"]

_EVENTS: Final = each(one_of("ended", "question"), "events")
_ACTIONS: Final = optional(each(Rule(_is_action, "an action or its name"), "actions"))
_PAUSES: Final = each(SECONDS, "numbers of seconds")


@settings
@dataclass(frozen=True, slots=True, repr=False)
class Webhook:
    """A URL that is told about runs.

    A request to a private address is refused unless ``allow_private`` is set. Plain ``http://``
    is only sent to private addresses.

    Args:
        url: Where to send.
        secret: Signs what is sent: ``"whsec_…"``, base64 of 24 to 64 random bytes. Of a list, each
            one signs, so that a receiver can change from one to the next.
        events: What it is told: ``"ended"``, when a run has ended, and ``"question"``, when a run
            asks a question.
        actions: The actions of whose runs it is told, each as itself or by its name; by default
            all of them.
        allow_private: Whether it can be at a private address, such as ``127.0.0.1``.
        schedule: Seconds between a failed try and the next one. After the last it is given up.
    """

    url: Annotated[str, _URL]
    secret: Annotated[str | Sequence[str], SECRETS]
    events: Annotated[AbstractSet[WebhookEvent], _EVENTS] = frozenset({"ended"})
    actions: Annotated[Sequence[str | Action[..., Any, Any]] | None, _ACTIONS] = None
    allow_private: bool = False
    schedule: Annotated[Sequence[float], _PAUSES] = SCHEDULE

    def __repr__(self) -> str:
        return f"Webhook({shown_url(self.url)!r})"

    def tells(self, action: str, event: WebhookEvent) -> bool:
        """Whether it is told about this event of the runs of an action."""
        return event in self.events and (self.actions is None or action in map(_name, self.actions))


def _name(action: str | Action[..., Any, Any]) -> str:
    return action if isinstance(action, str) else action.name


def _is_webhook(value: object) -> bool:
    return isinstance(value, Webhook)


WEBHOOKS: Final = each(Rule(_is_webhook, "a Webhook(url, secret)"), "webhooks")
"""The rule for the setting ``webhooks``."""

WebhookFor: TypeAlias = Annotated[
    Callable[[str | None, str], Webhook | Awaitable[Webhook | None] | None],
    function_of("the owner", "the URL"),
]
"""Returns how to send to a URL that the start of a run named; ``None``: it is not allowed."""
