"""Signed links, and places: what an application allows to everyone who has one, until it expires.

A link holds what it allows, in the open, and a signature that only the application's secret can
make: nothing is kept for it, and nothing in it can be changed.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any, Final, TypeAlias, cast
from urllib.parse import urlsplit

from yieldwire.errors import Forbidden, MissingDependency, UsageError
from yieldwire.log.run import Verb
from yieldwire.runs.access import Grant
from yieldwire.setting import Rule, settings

SECRET_CHARACTERS: Final = 32
"""Minimum length of a secret: 128 bits if it is hexadecimal."""
_VERBS: Final[frozenset[str]] = frozenset({"read", "answer", "send", "cancel"})


def _is_secret(value: object) -> bool:
    return isinstance(value, str) and len(value) >= SECRET_CHARACTERS


def _are_secrets(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return bool(value) and all(map(_is_secret, value))
    return _is_secret(value)


def _is_url(value: object) -> bool:
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
    except ValueError:
        return False
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
        return False
    return not (parts.query or parts.fragment or "@" in parts.netloc)


_HOW: Final = 'write the output of: python -c "import secrets; print(secrets.token_hex(32))"'
Secrets: TypeAlias = Annotated[
    str | Sequence[str],
    Rule(
        _are_secrets,
        f"a string of at least {SECRET_CHARACTERS} characters, or a list of them, newest first",
        lambda _value: _HOW,
        is_secret=True,
    ),
]
PublicURL: TypeAlias = Annotated[
    str,
    Rule(_is_url, "the URL at which browsers reach the application, without a query"),
]


@settings
class Signer:
    """Makes the links of one application, and reads them.

    Args:
        secret: The secret that signs. Of several, the first one signs and all are accepted, so
            that a secret can be replaced while links that were signed with it are still used.
        url: The URL of the application, where its links lead.

    Raises:
        MissingDependency: If ``itsdangerous`` is not installed.
        UsageError: If the secret is too short.
    """

    def __init__(self, secret: Secrets | None, url: PublicURL | None) -> None:
        self._url: Final = None if url is None else url.rstrip("/")
        self._links = _Seal("link", secret, "yieldwire.link")
        self._places = _Seal("place for uploads", secret, "yieldwire.place")
        self.can_sign: Final = secret is not None
        """Whether there is a secret."""

    def answer_url(self, grant: Grant) -> str:
        """Return the URL of the page that answers a question, for somebody without an account.

        Raises:
            UsageError: If the application has no secret, or no URL.
        """
        return f"{self._base()}/answers/{self._sign(grant)}"

    def share_url(self, run_id: str, verbs: Iterable[str], *, expires_at: float) -> str:
        """Return the URL of a run's page, with which everyone can do what ``verbs`` say.

        Raises:
            UsageError: If the application has no secret, or no URL, or a verb cannot be shared.
        """
        grant = Grant(run_id=run_id, verbs=verbs_of(verbs), expires_at=expires_at)
        return f"{self._base()}/runs/{grant.run_id}?share={self._sign(grant)}"

    def _base(self) -> str:
        if self._url is None:
            raise UsageError(
                "A link needs the application's own URL: write "
                "Actions(secret=..., url='https://app.example.com/api/_actions')."
            )
        return self._url

    def _sign(self, grant: Grant) -> str:
        told: dict[str, object] = {
            "run": grant.run_id,
            "verbs": sorted(grant.verbs),
            "until": round(grant.expires_at),
        }
        if grant.question is not None:
            told["question"] = grant.question
        if grant.name is not None:
            told["name"] = grant.name
        return self._links.sign(told)

    def read(self, signed: str) -> Grant:
        """Return what a link allows, whether it has expired or not.

        Raises:
            Forbidden: If this application has not signed it.
        """
        told = self._links.read(signed)
        return Grant(
            run_id=told["run"],
            verbs=frozenset(told["verbs"]),
            expires_at=told["until"],
            question=told.get("question"),
            name=told.get("name"),
        )

    def sign_place(self, told: Mapping[str, str | int]) -> str:
        """Return what is said of a place for uploads, signed.

        Raises:
            UsageError: If the application has no secret.
        """
        return self._places.sign(told)

    def read_place(self, signed: str) -> Mapping[str, Any]:
        """Return what is said of a place.

        Raises:
            Forbidden: If this application has not signed it.
        """
        return self._places.read(signed)


class _Seal:
    """Signs for one purpose, and reads what was signed for it and for no other."""

    def __init__(self, purpose: str, secret: str | Sequence[str] | None, salt: str) -> None:
        self._purpose, self._serializer = purpose, None
        if secret is None:
            return
        try:
            from itsdangerous import URLSafeSerializer  # noqa: PLC0415 - an extra
        except ImportError as exc:
            raise MissingDependency("itsdangerous", "links", "Actions(secret=...)") from exc
        newest_first = [secret] if isinstance(secret, str) else list(secret)
        digest = {"digest_method": hashlib.sha256}
        # It signs with the last one.
        self._serializer = URLSafeSerializer(newest_first[::-1], salt=salt, signer_kwargs=digest)

    def sign(self, told: Mapping[str, object]) -> str:
        if self._serializer is None:
            how = f"Actions(secret=...); {_HOW}"
            raise UsageError(f"A {self._purpose} is signed with a secret: {how}.")
        return str(self._serializer.dumps(told))

    def read(self, signed: str) -> Mapping[str, Any]:
        if self._serializer is not None:
            from itsdangerous import BadData  # noqa: PLC0415 - an extra

            with suppress(BadData):
                told: Mapping[str, Any] = self._serializer.loads(signed)
                return told
        raise Forbidden(
            f"This {self._purpose} is not valid: it was changed, or comes from another application."
        )


def verbs_of(verbs: Iterable[str]) -> frozenset[Verb]:
    """Return the verbs that a shared link allows.

    Raises:
        UsageError: If one cannot be shared.
    """
    given = {verbs} if isinstance(verbs, str) else set(verbs)
    if not given or given - _VERBS:
        raise UsageError(
            f"verbs= must be some of {', '.join(sorted(_VERBS))}, not {sorted(given)}."
        )
    return cast("frozenset[Verb]", frozenset(given))
