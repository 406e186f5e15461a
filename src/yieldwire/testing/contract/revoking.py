"""A store's guarantees for telling every process whose access was revoked."""

import asyncio
import time

from yieldwire.stores import REVOCATIONS_KEPT, Revoked
from yieldwire.testing.contract.harness import StoreHarness


class RevocationContract:
    """`Revocations.revoke` and `Revocations.revoked`."""

    async def test_a_store_begins_without_revocations(self, harness: StoreHarness) -> None:
        """There is nothing after number 0, and nothing is missing."""
        assert await harness.store.revoked(0) == Revoked(last=0, at={}, is_whole=True)

    async def test_a_revocation_has_its_owner_and_its_time(self, harness: StoreHarness) -> None:
        """The time is between call and return, by the clock that orders requests."""
        before = time.monotonic()

        at = await harness.store.revoke("ada")

        assert before <= at <= time.monotonic()
        assert await harness.store.revoked(0) == Revoked(last=1, at={"ada": at})

    async def test_each_revocation_is_told_of_behind_the_one_before(
        self, harness: StoreHarness
    ) -> None:
        """A caller that asks from the last number gets what is new, and later nothing."""
        await harness.store.revoke("ada")
        first = await harness.store.revoked(0)
        await harness.store.revoke("ben")

        second = await harness.store.revoked(first.last)

        assert (first.last, second.last) == (1, 2)
        assert ([*first.at], [*second.at]) == (["ada"], ["ben"])
        assert await harness.store.revoked(second.last) == Revoked(last=2)

    async def test_of_an_owners_revocations_the_newest_counts(self, harness: StoreHarness) -> None:
        """A user who signs in again can be signed out again."""
        for owner in ("ada", "ben", "ada"):
            newest = await harness.store.revoke(owner)

        told = await harness.store.revoked(0)

        assert (told.last, told.is_whole, told.at["ada"]) == (3, True, newest)
        assert told.at["ben"] <= newest

    async def test_revocations_made_at_once_are_each_kept(self, harness: StoreHarness) -> None:
        """None takes the number of another."""
        owners = [f"owner {number}" for number in range(20)]

        async with asyncio.TaskGroup() as group:
            for owner in owners:
                group.create_task(harness.store.revoke(owner))

        told = await harness.store.revoked(0)
        assert (told.last, told.is_whole, {*told.at}) == (20, True, {*owners})

    async def test_any_name_can_be_an_owners(self, harness: StoreHarness) -> None:
        """Names are compared whole, and are not changed."""
        owners = ["", "Ada", "ada", "a\x00b", "ä😀", "'; DROP TABLE runs; --", "x" * 5_000]

        for owner in owners:
            await harness.store.revoke(owner)

        assert {*(await harness.store.revoked(0)).at} == {*owners}

    async def test_revocations_outlive_another_opening(self, harness: StoreHarness) -> None:
        """Their numbers continue where they were."""
        await harness.store.revoke("ada")

        await harness.reopen()
        await harness.store.revoke("ben")

        told = await harness.store.revoked(0)
        assert (told.last, {*told.at}) == (2, {"ada", "ben"})

    async def test_a_caller_that_missed_revocations_is_told_so(self, harness: StoreHarness) -> None:
        """Dropped revocations are reported as missing, and the remaining ones are returned."""
        async with asyncio.TaskGroup() as group:
            for number in range(REVOCATIONS_KEPT + 2):
                group.create_task(harness.store.revoke(f"owner {number}"))

        missed, complete = await harness.store.revoked(1), await harness.store.revoked(2)
        assert (missed.last, missed.is_whole) == (REVOCATIONS_KEPT + 2, False)
        assert (complete.last, complete.is_whole) == (REVOCATIONS_KEPT + 2, True)
        assert len(missed.at) == len(complete.at) == REVOCATIONS_KEPT

    async def test_a_number_that_was_never_given_is_told_of_as_missed(
        self, harness: StoreHarness
    ) -> None:
        """A store that was restored to an older state says that some can be missing."""
        await harness.store.revoke("ada")

        told = await harness.store.revoked(7)

        assert (told.last, told.is_whole) == (1, False)
