"""The reference implementation of Standard Webhooks verifies what is signed here."""

import json
import time
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from yieldwire.errors import UsageError
from yieldwire.webhooks import Webhook
from yieldwire.webhooks.signature import signature

OLD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NEW = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDC2FVsBQIhrs="
BODY = json.dumps({"type": "run.ended", "data": {"text": "ü€😀"}}, ensure_ascii=False).encode()


def headers(secret: str | list[str], at: int) -> dict[str, str]:
    signed = signature("r1_3", at, BODY, secret)
    return {"webhook-id": "r1_3", "webhook-timestamp": str(at), "webhook-signature": signed}


def test_a_signature_is_the_reference_implementations_own() -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC)

    ours = signature("r1_3", int(at.timestamp()), BODY, OLD)

    assert ours == Verifier(OLD).sign("r1_3", at, BODY.decode())


@pytest.mark.parametrize("known", [OLD, NEW])
def test_each_of_several_secrets_verifies(known: str) -> None:
    sent = headers([NEW, OLD], int(time.time()))  # noqa: TID251 - the verifier reads this clock

    assert Verifier(known).verify(BODY, sent)["type"] == "run.ended"


@pytest.mark.parametrize("change", ["id", "body", "secret", "age"])
def test_what_was_changed_or_is_old_does_not_verify(change: str) -> None:
    now = int(time.time())  # noqa: TID251 - the verifier reads this clock
    sent = headers(OLD, now - 600 if change == "age" else now)
    sent |= {"webhook-id": "r1_4"} if change == "id" else {}
    body = BODY + b" " if change == "body" else BODY

    with pytest.raises(WebhookVerificationError, match=r"No matching signature|too old"):
        Verifier(NEW if change == "secret" else OLD).verify(body, sent)


@pytest.mark.parametrize(
    "secret", ["", "hunter2", "whsec_", "whsec_c2hvcnQ=", "whsec_!!", OLD[6:], [], [OLD, "x"], 5]
)
def test_a_secret_that_is_not_one_is_refused_and_not_shown(secret: object) -> None:
    with pytest.raises(
        UsageError, match=r"secret=… is not 'whsec_' and base64 .*python -c"
    ) as told:
        Webhook("https://a.example", secret)  # type: ignore[arg-type]

    assert "hunter2" not in str(told.value)
