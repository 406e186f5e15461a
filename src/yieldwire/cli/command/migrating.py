"""The command for the tables of a database: `migrate`."""

from typing import Annotated

import typer

from yieldwire.cli.command.program import cli
from yieldwire.cli.help import Command, examples
from yieldwire.cli.outcome import Outcome
from yieldwire.cli.output import note
from yieldwire.cli.showing import Interrupt, run_until_done


@cli.command(
    cls=Command,
    short_help="Create or update the tables in PostgreSQL.",
    epilog=examples("yieldwire migrate postgresql://owner@localhost/shop --schema runs"),
)
def migrate(
    dsn: Annotated[str, typer.Argument(metavar="DSN", help="The database, as a URL.")],
    *,
    schema: Annotated[str, typer.Option(help="Where the tables are.")] = "yieldwire",
) -> None:
    """Create the tables of a store in PostgreSQL, or change them to this version's layout.

    The first use of a store does the same. This is for databases where the application's user is
    not allowed to create tables: run it as their owner before a new version starts. It can be
    repeated, and processes of the version before can be running meanwhile.
    """
    from yieldwire.stores.postgres import PostgresStore  # noqa: PLC0415 - it needs an extra

    store = PostgresStore(dsn, schema=schema)

    async def work(_interrupt: Interrupt) -> Outcome:
        before, now = await store.migrate()
        was = f"it was {before}" if before else "there was none"
        note(f"The layout is {now}." if before == now else f"The layout is {now}; {was}.")
        return Outcome.COMPLETED

    run_until_done(work)
