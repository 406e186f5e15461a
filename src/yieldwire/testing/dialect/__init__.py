"""The guarantees of every dialect, as tests: `DialectContract`.

    class TestMyDialect(DialectContract):
        @pytest.fixture
        def harness(self) -> DialectHarness:
            return MyHarness()

The tests are plain coroutines with plain asserts, as those of `StoreContract`. They need httpx2.
"""

import asyncio

from yieldwire.dialects.translation import Translation
from yieldwire.log.cursor import Cursor
from yieldwire.log.events import Block, EventType
from yieldwire.log.run import Status
from yieldwire.stores import Query
from yieldwire.testing.dialect.harness import (
    BODY_BYTES,
    IDLE_TIMING,
    RUN,
    SOON,
    TIMING,
    DialectHarness,
    ForeignAnswer,
    ForeignRequest,
    Heard,
    a_log,
    event_of,
    never_done,
    served,
)

__all__ = ["DialectContract", "DialectHarness", "ForeignAnswer", "ForeignRequest", "Heard"]


class DialectContract:
    """What every dialect guarantees. Subclass it, and provide the fixture ``harness``."""

    # Streams and their ends.

    async def test_chunks_arrive_and_the_end_is_known(self, harness: DialectHarness) -> None:
        """A client hears every chunk, and that the run is done."""
        async with served(harness) as site:
            heard, answer = await site.call("say", {"text": "ahoy\n✓ ", "times": 3})

        assert (heard.text, heard.end) == ("ahoy\n✓ " * 3, "done")
        assert answer.is_whole

    async def test_no_part_of_an_answer_is_taken_for_all_of_it(
        self, harness: DialectHarness
    ) -> None:
        """Wherever an answer is cut, the client does not take the part for the whole."""
        async with served(harness) as site:
            heard, answer = await site.call("say", {"text": "ahoy ✓ ", "times": 3})

        for size in range(len(answer.body)):
            part = harness.read(answer.cut(size))
            assert part.end is None or (part.text, part.end) == (heard.text, heard.end)

    async def test_a_large_chunk_arrives_whole(self, harness: DialectHarness) -> None:
        """Many large chunks arrive whole."""
        async with served(harness) as site:
            heard, _ = await site.call("say", {"text": "x" * 2000, "times": 200})

        assert (len(heard.text), heard.end) == (400_000, "done")

    async def test_keepalives_mean_nothing(self, harness: DialectHarness) -> None:
        """Keepalives change nothing that the client hears."""
        async with served(harness, IDLE_TIMING) as site:
            heard, _ = await site.call("pause")

        assert (heard.text, heard.end) == ("before after", "done")

    async def test_an_error_before_the_first_chunk_is_told(self, harness: DialectHarness) -> None:
        """The client hears an error before the first chunk."""
        async with served(harness) as site:
            heard, _ = await site.call("refuse")

        assert (heard.text, heard.end) == ("", "error")
        assert heard.code in {"REFUSED", None}

    async def test_an_error_after_the_first_chunk_is_told(self, harness: DialectHarness) -> None:
        """The client hears an error after the first chunk, or its connection is broken off."""
        async with served(harness) as site:
            heard, answer = await site.call("fail")

        assert heard.text == "so far"
        never_done(heard, answer)

    async def test_a_stream_that_ends_before_its_run_is_not_done(
        self, harness: DialectHarness
    ) -> None:
        """If the server stops, the client does not take that for the end of the run."""
        async with served(harness) as site:
            request = harness.start("hang", {"key": "drain"})
            async with asyncio.timeout(SOON), site.opened(request) as (answer, pieces):
                await site.until(pieces, answer, "so far")
                site.world.actions.drain()
                await site.read_rest(pieces, answer)

        never_done(harness.read(answer), answer)

    async def test_a_run_that_is_stopped_is_not_done(self, harness: DialectHarness) -> None:
        """If somebody stops the run, the client does not take that for success."""
        async with served(harness) as site:
            request = harness.start("hang", {"key": "stop"})
            async with asyncio.timeout(SOON), site.opened(request) as (answer, pieces):
                await site.until(pieces, answer, "so far")
                await site.world.actions.app.cancel(answer.run_id)
                await site.read_rest(pieces, answer)

        never_done(harness.read(answer), answer)

    async def test_a_question_does_not_hang_the_client(self, harness: DialectHarness) -> None:
        """A run with a question that the client cannot answer ends."""
        if harness.encoder().question(event_of(1, EventType.QUESTION)) is not None:
            return  # the client can answer it
        async with served(harness) as site:
            heard, answer = await site.call("ask")

        never_done(heard, answer)

    # Leaving and coming back.

    async def test_leaving_stops_the_run_if_the_client_means_it(
        self, harness: DialectHarness
    ) -> None:
        """A disconnect stops the run if the client means that, and does not otherwise."""
        async with served(harness) as site:
            request = harness.start("hang", {"key": "leave"})
            async with asyncio.timeout(SOON), site.opened(request) as (answer, pieces):
                await site.until(pieces, answer, "so far")
            if harness.stops_by_leaving:
                async with asyncio.timeout(SOON):
                    await site.world.stopped["leave"].wait()
            else:
                await asyncio.sleep(10 * TIMING.sweep_every)
            run = await site.world.actions.app.store.get(answer.run_id)

        assert harness.stops_by_leaving or run.status is Status.RUNNING

    async def test_a_client_continues_after_any_cut(self, harness: DialectHarness) -> None:
        """Wherever an answer is cut, the client hears the rest when it resumes."""
        async with served(harness) as site:
            heard, answer = await site.call("say", {"text": "ahoy", "times": 4})
            for size in range(0, len(answer.body), 7):
                request = harness.resume(answer.run_id, answer.body[:size])
                if request is None:
                    return
                rest, resumed = await site.ask(request)
                before = harness.read(answer.cut(size)).text
                texts = {before + rest.text, rest.text}  # some clients read from the start again
                assert heard.text in texts or resumed.status == 204

    # Limits and ownership.

    async def test_nobody_else_reads_a_run(self, harness: DialectHarness) -> None:
        """Nobody but the owner resumes a run."""
        async with served(harness) as site:
            _, answer = await site.call("say", {"text": "secret"})
            request = harness.resume(answer.run_id, b"")
            if request is None:
                return
            for caller in ("bob", "", "unknown"):
                heard, refused = await site.ask(request, caller)
                assert "secret" not in heard.text
                assert refused.status in {204, 401, 403, 404} or heard.end == "error"

    async def test_who_is_not_identified_starts_nothing(self, harness: DialectHarness) -> None:
        """A caller whom `identify` refuses starts nothing."""
        async with served(harness) as site:
            heard, _ = await site.call("say", {"text": "ahoy"}, "unknown")
            runs = await site.world.actions.app.find(Query(everyone=True))

        assert (heard.end, runs) == ("error", [])

    async def test_pages_of_other_origins_start_nothing(self, harness: DialectHarness) -> None:
        """A page of another origin starts nothing."""
        async with served(harness) as site:
            heard, _ = await site.call("say", {"text": "ahoy"}, origin="https://evil.example")
            runs = await site.world.actions.app.find(Query(everyone=True))

        assert (heard.end, runs) == ("error", [])

    async def test_a_body_that_is_too_large_is_refused(self, harness: DialectHarness) -> None:
        """A body over the limit starts nothing, and the client hears an error."""
        async with served(harness) as site:
            heard, _ = await site.call("say", {"text": "x" * BODY_BYTES})
            runs = await site.world.actions.app.find(Query(everyone=True))

        assert (heard.text, heard.end, runs) == ("", "error", [])

    async def test_an_invalid_input_is_refused(self, harness: DialectHarness) -> None:
        """An invalid input starts nothing, and the client hears an error."""
        async with served(harness) as site:
            heard, _ = await site.call("say", {"text": ""})
            runs = await site.world.actions.app.find(Query(everyone=True))

        assert (heard.text, heard.end, runs) == ("", "error", [])

    # The encoder.

    def test_frames_do_not_depend_on_how_events_are_grouped(self, harness: DialectHarness) -> None:
        """The same events give the same bytes, in any grouping."""
        blocks = a_log()
        single = Translation(harness.encoder())
        joined = Translation(harness.encoder())

        pieces = single.opening(Cursor(RUN, 0), b"") + b"".join(map(single.encode, blocks))

        assert joined.opening(Cursor(RUN, 0), b"") + joined.encode(Block.join(blocks)) == pieces

    def test_a_resumed_stream_has_the_frames_that_are_missing(
        self, harness: DialectHarness
    ) -> None:
        """An encoder that is resumed after any event sends what follows it."""
        blocks = a_log()
        whole = Translation(harness.encoder())
        frames = [whole.opening(Cursor(RUN, 0), b""), *map(whole.encode, blocks)]

        for after in range(1, len(blocks)):
            resumed = Translation(harness.encoder(), after=after)
            greeting = resumed.opening(Cursor(RUN, 0), b"")
            rest = b"".join(map(resumed.encode, blocks))
            assert greeting == harness.encoder().greeting
            assert rest == b"".join(frames[1 + after :])
