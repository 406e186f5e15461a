"""Signed links, and places: what an application allows to everyone who has one, until it expires.

A link holds what it allows, in the open, and a signature that only the application's secret can
make: nothing is kept for it, and nothing in it can be changed.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias, cast
from urllib.parse import urlsplit

from yieldwire.errors import Forbidden, MissingDependency, UsageError
from yieldwire.log.run import Verb
from yieldwire.runs.access import Grant
from yieldwire.setting import Rule, settings

if TYPE_CHECKING:
    from itsdangerous import URLSafeSerializer

SECRET_CHARACTERS: Final = 32
"""Minimum length of a secret: 128 bits if it is hexadecimal."""
_SALT: Final = "yieldwire.link"
_PLACE_SALT: Final = "yieldwire.place"
"""So that a link cannot be used as a place."""
_VERBS: Final[frozenset[str]] = frozenset({"read", "answer", "send", "cancel"})
_INVALID: Final = "This link is not valid: it was changed, or comes from another application."

_INVALID_PLACE: Final = (
    "This place for uploads is not valid: it was changed, or comes from another application."
)


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
        self._serializer = None if secret is None else _serializer_of(secret, _SALT)
        self._places = None if secret is None else _serializer_of(secret, _PLACE_SALT)

    @property
    def can_sign(self) -> bool:
        """Whether there is a secret."""
        return self._serializer is not None

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
        if self._serializer is None:
            raise UsageError(f"A link is signed with a secret: Actions(secret=...); {_HOW}.")
        told: dict[str, object] = {
            "run": grant.run_id,
            "verbs": sorted(grant.verbs),
            "until": round(grant.expires_at),
        }
        if grant.question is not None:
            told["question"] = grant.question
        if grant.name is not None:
            told["name"] = grant.name
        return str(self._serializer.dumps(told))

    def read(self, signed: str) -> Grant:
        """Return what a link allows, whether it has expired or not.

        Raises:
            Forbidden: If this application has not signed it.
        """
        told = _loaded(self._serializer, signed, _INVALID)
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
        if self._places is None:
            raise UsageError(f"A place is signed with a secret: Actions(secret=...); {_HOW}.")
        return str(self._places.dumps(told))

    def read_place(self, signed: str) -> Mapping[str, Any]:
        """Return what is said of a place.

        Raises:
            Forbidden: If this application has not signed it.
        """
        told: Mapping[str, Any] = _loaded(self._places, signed, _INVALID_PLACE)
        return told


def _loaded(serializer: "URLSafeSerializer | None", signed: str, fault: str) -> Any:  # noqa: ANN401 - JSON
    if serializer is None:
        raise Forbidden(fault)
    from itsdangerous import BadData  # noqa: PLC0415 - an extra

    try:
        return serializer.loads(signed)
    except BadData:
        raise Forbidden(fault) from None


def _serializer_of(secret: str | Sequence[str], salt: str) -> "URLSafeSerializer":
    try:
        from itsdangerous import URLSafeSerializer  # noqa: PLC0415 - an extra
    except ImportError as exc:
        raise MissingDependency("itsdangerous", "links", "Actions(secret=...)") from exc
    newest_first = [secret] if isinstance(secret, str) else list(secret)
    digest = {"digest_method": hashlib.sha256}
    # It signs with the last one.
    return URLSafeSerializer(newest_first[::-1], salt=salt, signer_kwargs=digest)


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
