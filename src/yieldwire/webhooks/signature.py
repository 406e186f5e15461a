"""The signature of a webhook, as Standard Webhooks 1.0 defines it."""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Final

from yieldwire.setting import Rule

_PREFIX: Final = "whsec_"
_LEAST: Final = 24
_MOST: Final = 64
"""The size of a secret, in bytes."""


def _is_secret(value: object) -> bool:
    if not (isinstance(value, str) and value.startswith(_PREFIX)):
        return False
    try:
        return _LEAST <= len(_key(value)) <= _MOST
    except ValueError:
        return False


def _are_secrets(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return bool(value) and all(map(_is_secret, value))
    return _is_secret(value)


_HOW: Final = (
    'write the output of: python -c "import base64, secrets; '
    "print('whsec_' + base64.b64encode(secrets.token_bytes(32)).decode())\""
)
SECRETS: Final = Rule(
    _are_secrets,
    "'whsec_' and base64 of 24 to 64 bytes, or a list of these",
    lambda _value: _HOW,
    is_secret=True,
)
"""The rule for the secrets of a webhook."""


def _key(secret: str) -> bytes:
    return b64decode(secret.removeprefix(_PREFIX), validate=True)


def signature(id: str, timestamp: int, body: bytes, secret: str | Sequence[str]) -> str:
    """Return the header ``webhook-signature``: one signature for each secret."""
    # A few lines instead of a dependency; the tests verify them with the reference implementation.
    signed = b"%b.%d.%b" % (id.encode(), timestamp, body)
    secrets = [secret] if isinstance(secret, str) else secret
    digests = [hmac.digest(_key(each), signed, "sha256") for each in secrets]
    return " ".join(f"v1,{b64encode(digest).decode()}" for digest in digests)
