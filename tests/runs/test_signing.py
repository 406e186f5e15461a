"""Signed links: what the application's secret says, and nothing else."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yieldwire import Actions
from yieldwire.errors import Forbidden, UsageError
from yieldwire.log.run import Verb
from yieldwire.runs.access import Grant
from yieldwire.runs.signing import Signer, verbs_of

SECRET, OLDER, OTHER = "s" * 32, "o" * 32, "x" * 32
URL = "https://app.example.com/api/_actions"
GRANT = Grant(run_id="r1", verbs=frozenset({"read"}), expires_at=2_000_000_000.0)

grants = st.builds(
    Grant,
    run_id=st.text(min_size=1),
    verbs=st.frozensets(st.sampled_from(list[Verb](["read", "answer", "send", "cancel"]))),
    expires_at=st.integers(0, 2**40).map(float),
    question=st.none() | st.text(),
    name=st.none() | st.text(),
)


def signed(grant: Grant = GRANT, secret: str | list[str] = SECRET) -> str:
    """Return the signed part of a link."""
    return Signer(secret, URL).answer_url(grant).removeprefix(f"{URL}/answers/")


@given(grants)
def test_a_link_says_what_it_was_made_with(grant: Grant) -> None:
    assert Signer(SECRET, URL).read(signed(grant)) == grant


@given(st.data())
def test_a_link_that_was_changed_anywhere_is_refused(data: st.DataObject) -> None:
    link = signed()
    # The last character of a base 64 text has bits that count for nothing.
    place = data.draw(st.integers(0, len(link) - 2))
    letter = data.draw(st.sampled_from("abcXYZ019-_.").filter(lambda each: each != link[place]))
    changed = link[:place] + letter + link[place + 1 :]

    with pytest.raises(Forbidden, match="not valid"):
        Signer(SECRET, URL).read(changed)


@given(st.text())
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(Forbidden, match="not valid"):
        Signer(SECRET, URL).read(text)


def test_a_link_with_more_rights_needs_a_new_signature() -> None:
    payload, _, signature = signed().rpartition(".")
    told = json.loads(urlsafe_b64decode(payload + "==="))
    more = urlsafe_b64encode(json.dumps({**told, "verbs": ["cancel", "read"]}).encode()).decode()

    with pytest.raises(Forbidden, match="not valid"):
        Signer(SECRET, URL).read(f"{more.rstrip('=')}.{signature}")


def test_a_secret_can_be_replaced_while_its_links_are_still_used() -> None:
    link = signed(secret=OLDER)

    assert Signer([SECRET, OLDER], URL).read(link) == GRANT
    with pytest.raises(Forbidden, match="not valid"):
        Signer([SECRET], URL).read(link)


def test_the_first_secret_signs() -> None:
    assert Signer(SECRET, URL).read(signed(secret=[SECRET, OLDER])) == GRANT


def test_another_applications_link_is_refused() -> None:
    with pytest.raises(Forbidden, match="another application"):
        Signer(SECRET, URL).read(signed(secret=OTHER))


def test_without_a_secret_no_link_is_valid() -> None:
    with pytest.raises(Forbidden, match="not valid"):
        Signer(None, None).read(signed())


def test_a_link_needs_a_secret_and_the_message_makes_one() -> None:
    with pytest.raises(UsageError, match=r"Actions\(secret=\.\.\.\).*token_hex"):
        Signer(None, URL).share_url("r1", ["read"], expires_at=2_000_000_000.0)


def test_a_link_needs_the_applications_url() -> None:
    with pytest.raises(UsageError, match="needs the application's own URL"):
        Signer(SECRET, None).share_url("r1", ["read"], expires_at=2_000_000_000.0)


@pytest.mark.parametrize("secret", ["", "short", "s" * 31, [], [SECRET, "short"], 5, b"s" * 32])
def test_a_weak_secret_is_refused_and_never_repeated(secret: object) -> None:
    with pytest.raises(UsageError, match="at least 32 characters") as refused:
        Actions(secret=secret)  # type: ignore[arg-type]

    assert "short" not in str(refused.value)
    assert "sss" not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["", "/api", "app.example.com", "ftp://x.example", "https://x.example/?a=1", 5]
)
def test_a_url_that_no_browser_can_open_is_refused(url: object) -> None:
    with pytest.raises(UsageError, match="the URL at which browsers reach"):
        Actions(url=url)  # type: ignore[arg-type]


@pytest.mark.parametrize("verbs", [(), ("delete",), ("read", "write")])
def test_only_these_verbs_can_be_shared(verbs: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="must be some of answer, cancel, read, send"):
        verbs_of(verbs)
