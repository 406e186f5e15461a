"""The commands for the runs of a server: `runs`, `tail` and `cancel`."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Annotated

import typer

from yieldwire.cli.command.program import (
    ActiveRunId,
    AsJson,
    Ask,
    Header,
    TokenOption,
    Url,
    answering_of,
    cli,
    complete_runs,
    display_of,
)
from yieldwire.cli.display import list_questions, show_table
from yieldwire.cli.help import EXIT_CODES, Command, examples
from yieldwire.cli.outcome import Outcome
from yieldwire.cli.output import note, show_json
from yieldwire.cli.question import AskedQuestion
from yieldwire.cli.several import tail_several
from yieldwire.cli.showing import Interrupt, run_until_done, show_run
from yieldwire.cli.target import address_of, connect
from yieldwire.client import AsyncClient
from yieldwire.errors import Json, NotFound, UsageError


@cli.command(
    cls=Command,
    short_help="List runs, newest first.",
    epilog=examples(
        "yieldwire runs http://127.0.0.1:8000/api/_actions",
        'yieldwire runs https://example.com/api/_actions --status running --token "$TOKEN"',
        "yieldwire runs http://127.0.0.1:8000/api/_actions --questions",
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
    parent: Annotated[str | None, typer.Option(help="Only those that one run has started.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of runs.")] = 20,
    questions: Annotated[
        bool, typer.Option("--questions", help="List the open questions of running ones.")
    ] = False,
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
            known = status or ("running" if questions else None)
            page = await client.list(
                status=known, action=action, label=label, parent=parent, limit=limit
            )
            asked = await _asked_in(client, page["runs"]) if questions else []
        if questions:
            list_questions(asked, as_json=as_json)
        elif as_json:
            show_json(page)
        else:
            _show_runs(page["runs"])
        return Outcome.COMPLETED

    raise typer.Exit(run_until_done(work))


def _show_runs(runs: Sequence[Mapping[str, Json]]) -> None:
    columns = ["run", "action", "status", "created", "ended"]
    keys = ["id", "action", "status", "createdAt", "endedAt"]
    if any(run.get("parent") for run in runs):
        columns, keys = [*columns, "parent"], [*keys, "parent"]
    show_table(columns, [[str(run.get(key) or "") for key in keys] for run in runs])


async def _asked_in(
    client: AsyncClient, found: Sequence[dict[str, Json]]
) -> Sequence[AskedQuestion]:
    """Return the open questions of the runs, each with the id of its run."""
    asked: list[AskedQuestion] = []
    for one in found:
        with suppress(NotFound):  # it was deleted meanwhile
            questions = await client.attach(one["id"]).questions()
            asked += [{"run": one["id"], **question} for question in questions]
    return asked


@cli.command(
    cls=Command,
    short_help="Follow runs to their ends.",
    epilog=examples(
        "yieldwire tail http://127.0.0.1:8000/api/_actions r3kTq0xZb1mVnQ8sLw7Yc",
        "yieldwire tail http://127.0.0.1:8000/api/_actions --status running --action report",
    )
    + EXIT_CODES,
)
def tail(  # noqa: PLR0913 - options, passed by name
    url: Url,
    ids: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN...", help="The ids of one or more runs.", autocompletion=complete_runs
        ),
    ] = None,
    *,
    status: Annotated[
        str | None, typer.Option(help="Instead of ids: runs with this status.")
    ] = None,
    action: Annotated[str | None, typer.Option(help="Instead of ids: runs of this action.")] = None,
    after: Annotated[
        str | None, typer.Option(help="A cursor to start after; default: the run's start.")
    ] = None,
    ask: Ask = False,
    token: TokenOption = None,
    header: Header = None,
    as_json: AsJson = False,
) -> None:
    """Show a run from its start, and follow it to its end. Ctrl-C leaves it running.

    The id is what `yieldwire call --detach` prints and `yieldwire runs` lists. An open question is
    shown with the command that answers it; with --ask, you answer it here, on the terminal.

    Several runs are one line each, with a bar until they end. --status and --action choose the
    newest 20 of those that there are now.
    """
    if bool(ids) == bool(status or action):
        raise UsageError("Name the runs, or choose them with --status and --action.")
    if (after or ask) and (ids is None or len(ids) != 1):
        raise UsageError("--after and --ask are for one run, named by its id.")
    address = address_of(url, token, header)
    answering = answering_of(url, asks=ask, as_json=as_json)

    async def work(interrupt: Interrupt) -> Outcome:
        async with connect(address) as client:
            if ids is not None and len(ids) == 1:
                return await show_run(
                    client.attach(ids[0], after),
                    display_of(as_json=as_json),
                    interrupt,
                    answering,
                    cancels=False,
                )
            chosen = ids or await _chosen(client, status, action)
            return await tail_several(client, url, list(dict.fromkeys(chosen)), as_json=as_json)

    raise typer.Exit(run_until_done(work))


async def _chosen(client: AsyncClient, status: str | None, action: str | None) -> Sequence[str]:
    page = await client.list(status=status, action=action, limit=20)
    if not page["runs"]:
        note("No run matches.")
    return [each["id"] for each in page["runs"]]


@cli.command(
    cls=Command,
    short_help="Stop a run.",
    epilog=examples(
        "yieldwire cancel http://127.0.0.1:8000/api/_actions r3kTq0xZb1mVnQ8sLw7Yc",
    ),
)
def cancel(url: Url, run: ActiveRunId, *, token: TokenOption = None, header: Header = None) -> None:
    """Ask a run to stop, and print its status."""
    address = address_of(url, token, header)

    async def work(_interrupt: Interrupt) -> Outcome:
        async with connect(address) as client:
            snapshot = await client.cancel(run)
        typer.echo(snapshot["status"])
        return Outcome.COMPLETED

    raise typer.Exit(run_until_done(work))
