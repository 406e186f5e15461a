"""Who can do what to a run, for every transport."""

import pytest

from yieldwire.errors import Forbidden, Unauthorized
from yieldwire.log.run import SHARED, RunRecord, Verb
from yieldwire.runs.access import Access, Caller, authorize

ANONYMOUS = Caller(address="203.0.113.7")
ADA, BEN = Caller(owner="ada"), Caller(owner="ben")
PAST, FUTURE = 1.0, 10_000_000_000.0
VERBS: list[Verb] = ["read", "cancel", "delete"]


def run_of(owner: str | None) -> RunRecord:
    return RunRecord(id="r1", action="count", quota_key="c", owner=owner)


@pytest.mark.parametrize("verb", VERBS)
async def test_an_owner_can_do_everything_to_their_run(verb: Verb) -> None:
    await authorize(ADA, run_of("ada"), verb, None)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("caller", [ANONYMOUS, ADA, BEN])
async def test_a_run_without_an_owner_is_open_to_everyone_with_its_id(
    caller: Caller, verb: Verb
) -> None:
    await authorize(caller, run_of(None), verb, None)


@pytest.mark.parametrize("verb", VERBS)
async def test_somebody_elses_run_is_forbidden(verb: Verb) -> None:
    with pytest.raises(Forbidden, match="belongs to somebody else"):
        await authorize(BEN, run_of("ada"), verb, None)


@pytest.mark.parametrize("verb", VERBS)
async def test_the_anonymous_are_asked_to_sign_in(verb: Verb) -> None:
    with pytest.raises(Unauthorized, match="Sign in"):
        await authorize(ANONYMOUS, run_of("ada"), verb, None)


async def test_an_identity_that_expired_is_none() -> None:
    with pytest.raises(Unauthorized, match="Sign in"):
        await authorize(Caller(owner="ada", expires_at=PAST), run_of("ada"), "read", None)


async def test_an_identity_counts_until_it_expires() -> None:
    await authorize(Caller(owner="ada", expires_at=FUTURE), run_of("ada"), "read", None)


def team(caller: Caller, run: RunRecord, verb: Verb) -> bool:
    return verb == "read" and caller.owner == "ben"


async def team_by_and_by(caller: Caller, run: RunRecord, verb: Verb) -> bool:
    return team(caller, run, verb)


@pytest.mark.parametrize("access", [team, team_by_and_by])
async def test_access_widens_who_may(access: Access) -> None:
    await authorize(BEN, run_of("ada"), "read", access)

    with pytest.raises(Forbidden, match="belongs to somebody else"):
        await authorize(BEN, run_of("ada"), "cancel", access)
    with pytest.raises(Unauthorized, match="Sign in"):
        await authorize(ANONYMOUS, run_of("ada"), "read", access)


async def test_access_is_asked_only_where_the_owner_rule_says_no() -> None:
    def never(caller: Caller, run: RunRecord, verb: Verb) -> bool:
        raise AssertionError("asked")

    await authorize(ADA, run_of("ada"), "delete", never)
    await authorize(BEN, run_of(None), "delete", never)


def test_owners_and_addresses_have_quotas_apart() -> None:
    quotas = {ADA.quota_key, BEN.quota_key, ANONYMOUS.quota_key, Caller(address="ada").quota_key}

    assert len(quotas) == 4


def test_an_identity_without_an_end_does_not_expire() -> None:
    assert not ADA.has_expired
    assert not Caller(owner="ada", expires_at=FUTURE).has_expired
    assert Caller(owner="ada", expires_at=PAST).has_expired


@pytest.mark.parametrize("caller", [ANONYMOUS, ADA])
async def test_a_shared_feed_is_read_by_everybody_and_ended_by_nobody(caller: Caller) -> None:
    feed = RunRecord(id="r1", action="clock", quota_key=SHARED + "clock")

    await authorize(caller, feed, "read", None)

    for verb in ("cancel", "delete"):
        with pytest.raises(Forbidden, match="All readers share this feed"):
            await authorize(caller, feed, verb, None)


async def test_access_can_let_somebody_end_a_shared_feed() -> None:
    feed = RunRecord(id="r1", action="clock", quota_key=SHARED + "clock")

    await authorize(ADA, feed, "cancel", lambda caller, run, verb: caller.owner == "ada")
