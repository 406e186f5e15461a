"""The commands that read one run as it is now: `show` and `logs`."""

import typer

from yieldwire.cli.command.program import AsJson, Header, RunId, TokenOption, Url, cli
from yieldwire.cli.display import JsonLines
from yieldwire.cli.help import Command, examples
from yieldwire.cli.outcome import Outcome
from yieldwire.cli.output import show_json
from yieldwire.cli.record import log_line, record_lines
from yieldwire.cli.showing import Interrupt, run_until_done
from yieldwire.cli.target import address_of, connect
from yieldwire.display.progress import clean


@cli.command(
    cls=Command,
    short_help="Show a run's record.",
    epilog=examples("yieldwire show http://127.0.0.1:8000/api/_actions r3kTq0xZb1mVnQ8sLw7Yc"),
)
def show(
    url: Url,
    run: RunId,
    *,
    token: TokenOption = None,
    header: Header = None,
    as_json: AsJson = False,
) -> None:
    """Show a run as it is now: status, times, progress, input, result or error, open questions.

    The input is shown to the run's owner, and to everyone by a development server.
    """
    address = address_of(url, token, header)

    async def work(_interrupt: Interrupt) -> Outcome:
        async with connect(address) as client:
            snapshot = await client.attach(run).snapshot(with_input=True)
        if as_json:
            show_json(snapshot)
        else:
            for line in record_lines(snapshot, url):
                typer.echo(clean(line))
        return Outcome.COMPLETED

    raise typer.Exit(run_until_done(work))


@cli.command(
    cls=Command,
    short_help="Print a run's events with their times.",
    epilog=examples(
        "yieldwire logs http://127.0.0.1:8000/api/_actions r3kTq0xZb1mVnQ8sLw7Yc",
        "yieldwire logs http://127.0.0.1:8000/api/_actions r3kTq0xZb1mVnQ8sLw7Yc --json > log",
    ),
)
def logs(
    url: Url,
    run: RunId,
    *,
    token: TokenOption = None,
    header: Header = None,
    as_json: AsJson = False,
) -> None:
    """Print the events that a run has so far, one a line, each with its time. It does not wait.

    `yieldwire tail` shows what a run says, and follows it.
    """
    address = address_of(url, token, header)

    async def work(_interrupt: Interrupt) -> Outcome:
        lines = JsonLines(times=True)
        async with connect(address) as client:
            async for event in client.attach(run).log():
                if as_json:
                    lines.show(event)
                else:
                    typer.echo(clean(log_line(event)))
        return Outcome.COMPLETED

    raise typer.Exit(run_until_done(work))
