"""Every example does what it says, run in process, to its end."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from io import BytesIO
from pathlib import Path
from typing import ClassVar

import pytest

from examples import (
    approval,
    batch,
    clock,
    demo,
    import_airports,
    plain_form,
    report,
    typewriter,
)
from tests.support.kept import kept
from yieldwire import ActionError, Actions, Timing, Upload
from yieldwire.stores import Query, Reach
from yieldwire.stores.memory import MemoryStore
from yieldwire.testing import MovingClock

HEADER = "icao,iata,name,city,subd,country,elevation,lat,lon,tz,lid\n"
PARIS = "LFPG,CDG,Charles de Gaulle,Paris,Ile-de-France,FR,392,49.01,2.55,Europe/Paris,\n"
ORLY = "LFPO,ORY,Orly,Paris,Ile-de-France,FR,291,48.72,2.36,Europe/Paris,\n"
TEGEL = "EDDT,TXL,Tegel,Berlin,Berlin,DE,122,52.56,13.29,Europe/Berlin,\n"


class SharedStore(MemoryStore):
    """Says that other processes share it, so its runs are leased."""

    reach: ClassVar[Reach] = "machine"


def files_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


@pytest.fixture(autouse=True)
def _database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_airports, "DATABASE", tmp_path / "airports.db")


@pytest.fixture
async def actions() -> AsyncIterator[Actions]:
    """A new application with everything of the demo, since one that was closed stays closed."""
    application = Actions()
    application.include(demo.actions)
    yield application
    await application.app.close()


def upload(text: str) -> Upload:
    return Upload(BytesIO(text.encode()), filename="some.csv")


def airports_in(database: Path) -> list[tuple[str, float]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute("SELECT icao, elevation FROM airports").fetchall()


async def test_the_import_tells_how_far_it_is_and_sums_up_by_country(actions: Actions) -> None:
    file = upload(HEADER + PARIS + ORLY + TEGEL)

    run = await actions.start(import_airports.import_airports, {"file": file, "pace": 0})

    assert [event.value["percent"] async for event in run.events() if event.type == "chunk"] == [
        100.0
    ]
    assert await run.result() == import_airports.Summary(
        airports=3,
        countries=2,
        top=[
            import_airports.Country(country="FR", airports=2),
            import_airports.Country(country="DE", airports=1),
        ],
    )


async def test_the_import_needs_no_file_of_ones_own(actions: Actions) -> None:
    run = await actions.start(import_airports.import_airports, {"pace": 0})

    summary = await run.result()

    assert summary.airports > 28_000
    assert [place.country for place in summary.top][:2] == ["US", "BR"]


async def test_the_import_moves_the_bar_in_steps_of_a_hundred_rows(actions: Actions) -> None:
    rows = "".join(TEGEL.replace("EDDT", f"X{n:03}") for n in range(250))

    run = await actions.start(
        import_airports.import_airports, {"file": upload(HEADER + rows), "pace": 0}
    )

    steps = [event.value["current"] async for event in run.events() if event.type == "chunk"]
    assert steps == [100, 200, 250]


async def test_importing_twice_leaves_every_airport_there_once(actions: Actions) -> None:
    for _ in range(2):
        run = await actions.start(
            import_airports.import_airports, {"file": upload(HEADER + PARIS), "pace": 0}
        )
        await run.result()

    assert airports_in(import_airports.DATABASE) == [("LFPG", 392.0)]


async def test_an_import_whose_server_is_lost_continues_at_its_row() -> None:
    clock = MovingClock()
    store = SharedStore(clock=clock)
    actions = Actions(store=store, clock=clock, timing=Timing(sweep_every=3600.0))
    actions.include(demo.actions)
    async with actions.lifespan():
        run = await actions.start(import_airports.import_airports, {"pace": 0.002})
        async for _ in run.events():
            break
        while not (await store.get(run.id)).saved_seq:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)

        clock.advance(60)  # longer than a lease
        await actions.app.sweep()
        events = [event async for event in run.events()]

    restarts = [event.value["attempt"] for event in events if event.type == "restarted"]
    assert restarts == [2]
    assert [event.value["current"] for event in kept(events)] == [*range(100, 28_201, 100), 28_298]


async def test_a_file_from_a_spreadsheet_can_begin_with_a_byte_order_mark(
    actions: Actions,
) -> None:
    file = upload("\ufeff" + HEADER + PARIS)

    run = await actions.start(import_airports.import_airports, {"file": file, "pace": 0})

    assert (await run.result()).airports == 1


async def test_a_file_without_the_columns_is_refused_by_their_names(actions: Actions) -> None:
    run = await actions.start(import_airports.import_airports, {"file": upload("icao,name\n1,2\n")})

    with pytest.raises(ActionError, match="lacks the columns city, country") as caught:
        await run.result()
    error = caught.value.error_object()
    assert (error.code, error.status) == ("MISSING_COLUMNS", 422)
    assert error.data["missing"] == ["city", "country", "elevation", "lat", "lon"]


async def test_a_file_that_is_not_text_is_refused(actions: Actions) -> None:
    file = Upload(BytesIO(b"\x89PNG\xff\xfe"), filename="photo.png")

    run = await actions.start(import_airports.import_airports, {"file": file})

    with pytest.raises(ActionError, match=r"photo\.png is not a CSV file in UTF-8"):
        await run.result()


async def test_the_typewriter_leaves_out_no_character(actions: Actions) -> None:
    text = "  two  words,\n\nand a third. "

    run = await actions.start(typewriter.typewriter, {"text": text, "speed": 1000})

    pieces = [chunk["text"] async for chunk in run]
    assert pieces == ["  two  ", "words,\n\n", "and ", "a ", "third. "]
    assert (await run.snapshot())["text"] == text


async def test_the_typewriter_has_a_letter_of_its_own(actions: Actions) -> None:
    run = await actions.start(typewriter.typewriter, {"speed": 1000})

    await run.result()

    assert (await run.snapshot())["text"] == typewriter.LETTER


async def test_the_batch_writes_every_invoice_and_adds_them_up(actions: Actions) -> None:
    run = await actions.start(batch.write_invoices, {"pause": 0})

    assert await run.result() == batch.Written(invoices=8, total="1078.59")


async def test_the_batch_names_its_bad_rows_after_trying_them_all(actions: Actions) -> None:
    rows = ["Ada, 1", "Grace, a lot", "Hedy", "Mary, -3", "Annie, 2", "Radia, NaN"]

    run = await actions.start(batch.write_invoices, {"rows": rows, "pause": 0})

    steps = [event.value.get("current") async for event in run.events() if event.type == "chunk"]
    assert steps == [1, 2, 3, 4, 5, 6]
    with pytest.raises(ActionError, match="4 of 6 rows cannot be invoiced") as caught:
        await run.result()
    error = caught.value.error_object()
    assert error.code == "BAD_ROWS"
    assert [bad["row"] for bad in error.data["rows"]] == [2, 3, 4, 6]


@pytest.mark.parametrize("ending", ["completed", "failed", "cancelled"])
async def test_the_batch_leaves_no_drafts_behind(
    actions: Actions, ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    rows = ["Ada, 1", "Grace, x" if ending == "failed" else "Grace, 2"]
    pause = 5 if ending == "cancelled" else 0

    run = await actions.start(batch.write_invoices, {"rows": rows, "pause": pause})
    async for event in run.events():
        if event.seq == 1 and ending == "cancelled":
            assert files_in(tmp_path) != []
            await run.cancel()

    assert (await run.snapshot())["status"] == ending
    assert files_in(tmp_path) == []


async def test_the_clock_counts_its_ticks(actions: Actions) -> None:
    run = await actions.start(clock.clock, {"every": 0.01, "ticks": 3})

    assert [chunk["n"] async for chunk in run] == [1, 2, 3]


async def test_the_clock_continues_until_it_is_stopped(actions: Actions) -> None:
    run = await actions.start(clock.clock, {"every": 0.01})

    types = []
    async for event in run.events():
        types.append(event.type)
        if len(types) == 5:
            await run.cancel()

    assert types[:5] == ["chunk"] * 5
    assert types[-1] == "cancelled"


def test_the_demo_has_the_actions_of_every_example() -> None:
    names = [action.name for action in demo.actions.app.registry.actions]

    assert names == [
        "import_airports",
        "typewriter",
        "plan_feature",
        "write_invoices",
        "clock",
        "publish",
        "write_report",
        "write_chapter",
    ]


def test_the_plain_form_posts_to_an_action_without_any_script() -> None:
    assert 'action="/api/_actions/import_airports"' in plain_form.PAGE
    assert "<script" not in plain_form.PAGE


async def published(actions: Actions, decision: approval.Decision) -> object:
    """Decide about a draft when the question is open, and return the run's result."""
    run = await actions.start(approval.publish, draft="The ferry leaves at seven.")
    async for event in run.events():
        if event.type == "question":
            await run.answer("approval", decision)
    return await run.result()


async def test_a_draft_is_published_once_somebody_has_approved_it() -> None:
    actions = approval.actions
    async with actions.lifespan():
        told = [
            await published(actions, decision)
            for decision in (
                approval.Decision(approved=True),
                approval.Decision(approved=False, note="Too early."),
            )
        ]

    assert told == ["Published.", "Not published. Too early."]


async def test_the_report_writes_each_chapter_in_a_run_of_its_own(actions: Actions) -> None:
    run = await actions.start(report.write_report, {"chapters": ["Risks", "Outlook"], "pause": 0})

    told = [(chunk["current"], chunk["total"]) async for chunk in run]
    children = await actions.runs.find(Query(everyone=True, parent=run.id))
    assert told == [(1, 2), (2, 2)]
    assert await run.result() == "2 chapters, 34 words"
    assert [child.action for child in children] == ["write_chapter"] * 2
