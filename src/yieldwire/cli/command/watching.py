"""The command that watches all runs of a server: `top`."""

from typing import Annotated

import typer

from yieldwire.cli.command.program import Header, TokenOption, Url, cli
from yieldwire.cli.display import has_screen
from yieldwire.cli.help import Command, examples
from yieldwire.cli.outcome import Outcome
from yieldwire.cli.showing import Interrupt, run_until_done
from yieldwire.cli.target import address_of
from yieldwire.cli.top.changes import Filters, print_changes


@cli.command(
    cls=Command,
    short_help="Watch all runs on the terminal.",
    epilog=examples(
        "yieldwire top http://127.0.0.1:8000/api/_actions",
        'yieldwire top https://example.com/api/_actions --status running --token "$TOKEN"',
        "yieldwire top http://127.0.0.1:8000/api/_actions | grep failed",
    ),
)
def top(  # noqa: PLR0913 - options, passed by name
    url: Url,
    *,
    status: Annotated[
        str | None, typer.Option(help="Only pending, running, completed, failed or cancelled ones.")
    ] = None,
    action: Annotated[str | None, typer.Option(help="Only those of one action.")] = None,
    label: Annotated[str | None, typer.Option(help="Only those with one label.")] = None,
    parent: Annotated[str | None, typer.Option(help="Only those that one run has started.")] = None,
    token: TokenOption = None,
    header: Header = None,
) -> None:
    """Watch your newest 200 runs, and what the selected one says; with keys to cancel and answer.

    Press ? for the keys. If the server is away, the view says so and reconnects. Without a
    terminal, each change of a status and each whole percent is a line.
    """
    address = address_of(url, token, header)
    filters = Filters(status=status, action=action, label=label, parent=parent)

    async def work(interrupt: Interrupt) -> Outcome:
        if has_screen():
            from yieldwire.cli.top.session import watch_screen  # noqa: PLC0415 - not on Windows

            await watch_screen(address, filters, interrupt)
        else:
            await print_changes(address, filters)
        return Outcome.COMPLETED

    raise typer.Exit(run_until_done(work))
