"""A store's guarantees for opening and closing, repeatedly."""

from yieldwire.testing.contract.harness import StoreHarness, created, finished, log_of


class OpenContract:
    """`RunStore.open` and `RunStore.close`."""

    async def test_a_store_that_was_closed_opens_again_with_its_runs(
        self, harness: StoreHarness
    ) -> None:
        """A close releases open resources and keeps the data."""
        store = harness.store
        await store.open()
        live, ended = await created(store), await finished(store)
        log = await log_of(store, ended.id)
        await store.close()

        await store.open()
        kept = await store.get(live.id), await log_of(store, ended.id)
        await store.close()

        assert kept == (live, log)

    async def test_a_store_that_is_opened_twice_closes_with_the_last(
        self, harness: StoreHarness
    ) -> None:
        """Applications can share it: one that closes does not close it for the others."""
        store = harness.store
        await store.open()
        await store.open()

        await store.close()
        run = await created(store)
        kept = await store.get(run.id)
        await store.close()

        assert kept == run

    async def test_a_store_closes_twice(self, harness: StoreHarness) -> None:
        """Closing a closed store has no effect."""
        await harness.store.open()
        run = await created(harness.store)
        await harness.store.close()
        await harness.store.close()

        await harness.store.open()
        kept = await harness.store.get(run.id)
        await harness.store.close()

        assert kept == run
