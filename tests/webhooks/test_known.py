"""Which URLs are told, and which ones a start is allowed to name."""

import pytest

from tests.support.receiver import SECRET
from yieldwire import Actions
from yieldwire.errors import Forbidden, ParseError, UsageError
from yieldwire.webhooks import Webhook, WebhookEvent
from yieldwire.webhooks.known import KnownWebhooks

BILLING = Webhook("https://billing.example", SECRET, actions=["report"])
AUDIT = Webhook("https://audit.example", SECRET, events={"ended", "question"})
ASKED = Webhook("https://asked.example", SECRET, events={"question"})
ADAS = "https://hooks.example/ada"


def adas(owner: str | None, url: str) -> Webhook | None:
    return Webhook(url, SECRET) if owner == "ada" and url == ADAS else None


async def test_a_webhook_is_told_of_its_events_and_actions() -> None:
    known = KnownWebhooks([BILLING, AUDIT, ASKED], None)

    assert await known.urls_of_start("report", None, None) == {
        "webhooks": (BILLING.url, AUDIT.url),
        "question_webhooks": (AUDIT.url, ASKED.url),
    }
    assert await known.urls_of_start("other", None, None) == {
        "webhooks": (AUDIT.url,),
        "question_webhooks": (AUDIT.url, ASKED.url),
    }


@pytest.mark.parametrize(
    ("events", "urls"),
    [
        ({"ended"}, {"webhooks": (ADAS,), "question_webhooks": ()}),
        ({"question"}, {"webhooks": (), "question_webhooks": (ADAS,)}),
        ({"ended", "question"}, {"webhooks": (ADAS,), "question_webhooks": (ADAS,)}),
    ],
)
async def test_the_url_of_a_start_is_told_of_what_its_webhook_says(
    events: set[WebhookEvent], urls: dict[str, tuple[str, ...]]
) -> None:
    known = KnownWebhooks([], lambda _owner, url: Webhook(url, SECRET, events=events))

    assert await known.urls_of_start("other", "ada", ADAS) == urls


async def test_an_action_can_be_given_as_itself() -> None:
    actions = Actions()

    @actions.action
    async def report() -> None:
        """Report."""

    hook = Webhook("https://a.example", SECRET, actions=[report])

    assert (hook.tells("report", "ended"), hook.tells("other", "ended")) == (True, False)


async def test_a_start_can_name_what_it_is_allowed_to() -> None:
    known = KnownWebhooks([AUDIT], adas)

    assert (await known.urls_of_start("report", "ada", ADAS))["webhooks"] == (AUDIT.url, ADAS)
    for owner, url in [("ben", ADAS), (None, ADAS), ("ada", AUDIT.url)]:
        with pytest.raises(Forbidden, match="not allowed to have a webhook sent to this URL"):
            await known.urls_of_start("report", owner, url)


async def test_by_default_a_start_can_name_no_url() -> None:
    for known in (KnownWebhooks([], None), KnownWebhooks([AUDIT], None)):
        with pytest.raises(Forbidden, match="not allowed"):
            await known.urls_of_start("report", "ada", ADAS)


@pytest.mark.parametrize("url", ["", "hooks.example", "ftp://hooks.example", "https://u@a.example"])
async def test_what_is_not_a_url_is_refused_before_anybody_is_asked(url: str) -> None:
    def never(_owner: str | None, _url: str) -> Webhook | None:
        raise AssertionError

    with pytest.raises(ParseError, match="The webhook's URL cannot be used"):
        await KnownWebhooks([], never).urls_of_start("report", "ada", url)


async def test_how_to_send_is_looked_up_at_each_try() -> None:
    async def patient(owner: str | None, url: str) -> Webhook | None:
        return adas(owner, url)

    known = KnownWebhooks([AUDIT], patient)

    assert await known.find("ada", ADAS) == Webhook(ADAS, SECRET)
    assert await known.find(None, AUDIT.url) is AUDIT
    assert await known.find("ben", ADAS) is None


def test_one_url_is_declared_once() -> None:
    with pytest.raises(UsageError, match=r"webhooks= has https://audit.example/… twice"):
        KnownWebhooks([AUDIT, BILLING, AUDIT], None)


def test_a_webhook_does_not_show_its_secret_or_its_path() -> None:
    hook = Webhook("https://a.example/T0/token", SECRET)

    assert repr(hook) == "Webhook('https://a.example/…')"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"url": "a.example/token"}, "url=… is not an https:// URL"),
        ({"events": {"started"}}, r"'started' is not 'ended' or 'question'"),
        ({"events": "ended"}, r"events='ended' is not a list of events"),
        ({"schedule": [-1.0]}, "-1.0 is not a number of seconds"),
        ({"actions": [5]}, "5 is not an action or its name"),
    ],
)
def test_a_mistake_is_told_where_it_is_made(settings: dict[str, object], message: str) -> None:
    given = {"url": "https://a.example", "secret": SECRET, **settings}

    with pytest.raises(UsageError, match=message):
        Webhook(**given)  # type: ignore[arg-type]


def test_webhooks_are_a_list_of_webhooks() -> None:
    with pytest.raises(UsageError, match=r"webhooks=.* is not a list of webhooks"):
        Actions(webhooks=["https://a.example"])  # type: ignore[list-item]
    with pytest.raises(UsageError, match=r"webhook_for=.* is not a function of the owner, the URL"):
        Actions(webhook_for=lambda: None)  # type: ignore[arg-type,misc]
