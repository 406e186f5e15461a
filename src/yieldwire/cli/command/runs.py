"""The commands for the runs of a server: `runs`, `tail` and `cancel`."""

from typing import Annotated

import typer

from yieldwire.cli.command.program import AsJson, Header, RunId, TokenOption, Url, cli, display_of
from yieldwire.cli.display import show_table
from yieldwire.cli.help import EXIT_CODES, Command, examples
from yieldwire.cli.outcome import Outcome
from yieldwire.cli.output import show_json
from yieldwire.cli.showing import Interrupt, run_until_done, show_run
from yieldwire.cli.target import address_of, connect


@cli.command(
    cls=Command,
    short_help="List runs, newest first.",
    epilog=examples(
        "yieldwire runs http://127.0.0.1:8000/api/_actions",
        'yieldwire runs https://example.com/api/_actions --status running --token "$TOKEN"',
    ),
)
def runs(  # noqa: PLR0913 - options, passed by name
    url: Url,
    *,
    status: Annotated[
        str | None, typer.Option(help="Only pending, running, completed, failed or cancelled ones.")
    ] = None,
    action: Annotated[str | None, typer.Option(help="Only those of one action.")] = None,
    label: Annotated[str | None, typer.Option(help="Only those with one label.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of runs.")] = 20,
    token: TokenOption = None,
    header: Header = None,
    as_json: AsJson = False,
) -> None:
    """List your own runs, newest first; on a development server, everybody's.

    Runs belong to the caller that `identify` names: sign in with --token or --header. A run that
    was started anonymously is on no list; `yieldwire tail` follows it by its id.
    """
    address = address_of(url, token, header)

    async def work(_interrupt: Interrupt) -> Outcome:
        async with connect(address) as client:
            page = await client.list(status=status, action=action, label=label, limit=limit)
        if as_json:
            show_json(page)
        else:
            columns = ["run", "action", "status", "created", "ended"]
            keys = ["id", "action", "status", "createdAt", "endedAt"]
            show_table(columns, [[str(one.get(key) or "") for key in keys] for one in page["runs"]])
        return Outcome.COMPLETED

    raise typer.Exit(run_until_done(work))


@cli.command(
    cls=Command,
    short_help="Follow a run to its end.",
    epilog=examples(
        "yieldwire tail http://127.0.0.1:8000/api/_actions r3kTq0xZb1mVnQ8sLw7Yc",
    )
    + EXIT_CODES,
)
def tail(
    url: Url,
    run: RunId,
    *,
    after: Annotated[
        str | None, typer.Option(help="A cursor to start after; default: the run's start.")
    ] = None,
    token: TokenOption = None,
    header: Header = None,
    as_json: AsJson = False,
) -> None:
    """Show a run from its start, and follow it to its end. Ctrl-C leaves it running.

    The id is what `yieldwire call --detach` prints and `yieldwire runs` lists.
    """
    address = address_of(url, token, header)

    async def work(interrupt: Interrupt) -> Outcome:
        async with connect(address) as client:
            attached = client.attach(run, after)
            return await show_run(attached, display_of(as_json=as_json), interrupt, cancels=False)

    raise typer.Exit(run_until_done(work))


@cli.command(
    cls=Command,
    short_help="Stop a run.",
    epilog=examples(
        "yieldwire cancel http://127.0.0.1:8000/api/_actions r3kTq0xZb1mVnQ8sLw7Yc",
    ),
)
def cancel(url: Url, run: RunId, *, token: TokenOption = None, header: Header = None) -> None:
    """Ask a run to stop, and print its status."""
    address = address_of(url, token, header)

    async def work(_interrupt: Interrupt) -> Outcome:
        async with connect(address) as client:
            snapshot = await client.cancel(run)
        typer.echo(snapshot["status"])
        return Outcome.COMPLETED

    raise typer.Exit(run_until_done(work))
