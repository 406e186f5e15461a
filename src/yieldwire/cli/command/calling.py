"""The commands for an application's actions: `call`, `actions` and `types`."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer

from yieldwire.cli.argument import parameters_of, read_arguments
from yieldwire.cli.command.program import (
    Anywhere,
    AsJson,
    Ask,
    Checks,
    Header,
    OutputFile,
    TokenOption,
    Watches,
    answering_of,
    cli,
    display_of,
)
from yieldwire.cli.completing import Offer, actions_offered, fields_offered
from yieldwire.cli.display import show_table
from yieldwire.cli.generated import check_options, put_generated
from yieldwire.cli.help import EXIT_CODES, USE_OF_TYPES, VALUES, Command, examples
from yieldwire.cli.outcome import Outcome
from yieldwire.cli.output import show_json
from yieldwire.cli.showing import Interrupt, run_until_done, show_run
from yieldwire.cli.source import is_url, path_of
from yieldwire.cli.target import address_of, find_action, target_of
from yieldwire.describe.python import python
from yieldwire.describe.typescript import typescript
from yieldwire.errors import UsageError


def _complete_actions(ctx: typer.Context, incomplete: str) -> Sequence[Offer]:
    return actions_offered(ctx.params, incomplete)


def _complete_fields(ctx: typer.Context, incomplete: str) -> Sequence[Offer]:
    return fields_offered(ctx.params, ctx.params.get("arguments") or [], incomplete)


@cli.command(
    cls=Command,
    short_help="Call an action and follow it.",
    epilog=examples(
        "yieldwire call app.py count to=3",
        "yieldwire call app.py import_contacts file=@contacts.csv",
        "yieldwire call http://127.0.0.1:8000/api/_actions count to=3 --json",
        'yieldwire call https://example.com/api/_actions report --token "$TOKEN" --detach',
    )
    + VALUES
    + EXIT_CODES,
)
def call(  # noqa: PLR0913 - options, passed by name
    target: Anywhere,
    action: Annotated[
        str,
        typer.Argument(
            metavar="ACTION", help="The action's name.", autocompletion=_complete_actions
        ),
    ],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=VALUE", help="Its input; see below.", autocompletion=_complete_fields
        ),
    ] = None,
    *,
    token: TokenOption = None,
    header: Header = None,
    as_json: AsJson = False,
    ask: Ask = True,
    detach: Annotated[
        bool, typer.Option("--detach", help="Start it, print the run's id, and leave it running.")
    ] = False,
    webhook: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Tell this URL about the run, if `webhook_for` allows it."
        ),
    ] = None,
) -> None:
    """Call an action and follow its run: progress, text as it arrives, the result.

    `yieldwire actions` lists the actions and their parameters. Ctrl-C cancels the run; a second
    Ctrl-C exits at once. With --json each event is a line of JSON, and nothing else is on stdout.

    If the action asks something, you answer on the terminal; Ctrl-D leaves the question open.
    Without a terminal, or with --no-ask, the question is shown with the command that answers it.
    """
    opening = target_of(address_of(target, token, header))
    answering = answering_of(target, asks=ask, as_json=as_json)

    async def work(interrupt: Interrupt) -> Outcome:
        async with opening as opened:
            found = find_action(await opened.manifest(), action)
            fields = await asyncio.to_thread(read_arguments, arguments or [], found["input"])
            display = display_of(as_json=as_json)
            interrupt.restore = display.close
            try:
                run = await opened.start(
                    found, fields, detached=detach, webhook=webhook, on_upload=display.upload
                )
            except BaseException:
                display.close()  # of what was sent
                raise
            if detach:
                typer.echo(run.id)
                return Outcome.COMPLETED
            return await show_run(run, display, interrupt, answering, cancels=True)

    raise typer.Exit(run_until_done(work))


@cli.command(
    cls=Command,
    short_help="List actions and parameters.",
    epilog=examples(
        "yieldwire actions app.py",
        "yieldwire actions http://127.0.0.1:8000/api/_actions --json",
    ),
)
def actions(
    target: Anywhere, *, token: TokenOption = None, header: Header = None, as_json: AsJson = False
) -> None:
    """List the actions with their parameters.

    A parameter with `= ...` has a default and can be left out.
    """
    opening = target_of(address_of(target, token, header))

    async def work(_interrupt: Interrupt) -> Outcome:
        async with opening as opened:
            found = await opened.manifest()
        if as_json:
            show_json({"actions": found})
        else:
            rows = [
                (one["name"], parameters_of(one["input"]), _summary(one["doc"])) for one in found
            ]
            show_table(["action", "parameters", ""], rows)
        return Outcome.COMPLETED

    raise typer.Exit(run_until_done(work))


@cli.command(
    cls=Command,
    short_help="Write TypeScript or Python types.",
    epilog=examples(
        "yieldwire types app.py -o web/src/actions.gen.ts",
        "yieldwire types app.py -o web/src/actions.gen.ts --watch",
        "yieldwire types app.py -o web/src/actions.gen.ts --check",
        "yieldwire types https://example.com/api/_actions > actions.gen.ts",
        "yieldwire types --python app.py -o shop.py",
    )
    + USE_OF_TYPES,
)
def types(  # noqa: PLR0913 - options, passed by name
    target: Anywhere,
    *,
    as_python: Annotated[
        bool, typer.Option("--python", help="Write a Python module instead of TypeScript.")
    ] = False,
    output: OutputFile = None,
    watch: Watches = False,
    check: Checks = False,
    token: TokenOption = None,
    header: Header = None,
) -> None:
    """Write the actions as TypeScript types, for the client in a browser.

    With --python, write them as a module for the client in Python.
    """
    check_options(output, watch=watch, check=check)
    if watch:
        if is_url(target):
            raise UsageError("--watch needs a Python file.")
        from yieldwire.cli.reload import repeat_on_change  # noqa: PLC0415 - needs watchfiles

        language = ["--python"] if as_python else []
        return repeat_on_change(["types", target, *language, "-o", str(output)], path_of(target))
    opening = target_of(address_of(target, token, header))

    async def work(_interrupt: Interrupt) -> Outcome:
        async with opening as opened:
            text = (python if as_python else typescript)(await opened.manifest())
        return put_generated(text, output, check=check)

    raise typer.Exit(run_until_done(work))


def _summary(doc: str) -> str:
    return doc.partition("\n")[0]
