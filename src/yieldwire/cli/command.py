"""The commands, their options, and their help."""

import asyncio
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

from yieldwire.cli.argument import parameters_of, read_arguments
from yieldwire.cli.display import (
    Display,
    JsonLines,
    Terminal,
    show_json,
    show_table,
)
from yieldwire.cli.help import (
    EXIT_CODES,
    USE_OF_TYPES,
    VALUES,
    WIDTH,
    Command,
    Group,
    examples,
)
from yieldwire.cli.mounting import BASE
from yieldwire.cli.outcome import Outcome
from yieldwire.cli.showing import Interrupt, run_until_done, show_run
from yieldwire.cli.source import is_url, path_of
from yieldwire.cli.target import address_of, connect, find_action, target_of
from yieldwire.cli.typefile import check_types, write_types
from yieldwire.describe.typescript import typescript
from yieldwire.errors import UsageError

cli: Final = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    rich_markup_mode=None,  # the examples keep their lines
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "terminal_width": WIDTH},
)

File: TypeAlias = Annotated[
    str, typer.Argument(metavar="APP", help="A Python file, app.py or app.py:name.")
]
Anywhere: TypeAlias = Annotated[
    str,
    typer.Argument(metavar="APP|URL", help="A Python file, or where an application is mounted."),
]
Url: TypeAlias = Annotated[
    str, typer.Argument(metavar="URL", help="Where the application is mounted.")
]
RunId: TypeAlias = Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")]
TokenOption: TypeAlias = Annotated[
    str | None, typer.Option(envvar="YIELDWIRE_TOKEN", help="A bearer token, for a URL.")
]
Header: TypeAlias = Annotated[
    list[str] | None, typer.Option("--header", "-H", help="'Name: value', for a URL; repeatable.")
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Host: TypeAlias = Annotated[str, typer.Option(help="The address to listen on.")]
Port: TypeAlias = Annotated[int, typer.Option(help="The port; 0 picks a free one.")]
Base: TypeAlias = Annotated[str, typer.Option(help="The path prefix for actions.")]
Fd: TypeAlias = Annotated[int | None, typer.Option(hidden=True)]


@cli.callback(
    invoke_without_command=True,
    epilog=examples(
        "yieldwire dev app.py",
        "yieldwire actions app.py",
        "yieldwire call app.py count to=3",
        "yieldwire call http://127.0.0.1:8000/api/_actions count to=3",
    ),
)
def main(
    *,
    show_version: Annotated[
        bool, typer.Option("--version", "-V", help="Show the version.")
    ] = False,
) -> None:
    """Serve typed Python functions that yield, call them, and watch them run.

    APP is a Python file with `actions = Actions()`, URL is where such an application is mounted.
    Each command has its own --help, with examples.
    """
    if show_version:
        typer.echo(f"yieldwire {version('yieldwire')}")


@cli.command(
    cls=Command,
    short_help="Serve with a page to try it.",
    epilog=examples(
        "yieldwire dev app.py",
        "yieldwire dev app.py:actions --port 8080 --open",
        "yieldwire dev app.py --static web",
    ),
)
def dev(  # noqa: PLR0913 - options, passed by name
    app: File,
    *,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    base: Base = BASE,
    reload: Annotated[bool, typer.Option(help="Restart when a Python file changes.")] = True,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    static: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Serve the pages in a folder at /.")
    ] = None,
    fd: Fd = None,
) -> None:
    """Serve an application during development, with a page to try its actions.

    The page lists the actions, each with a form, and every run. It is for this machine only:
    everyone who can open it sees all runs. Requests and runs are logged.

    In a FastAPI, Starlette or Litestar application, mounted actions are found and the whole
    application is served. APP can also be a function that returns one: app.py:create_app.
    """
    from yieldwire.cli.server import Serving  # noqa: PLC0415 - needs the extra `server`
    from yieldwire.cli.serving import Listening, develop  # noqa: PLC0415 - the same

    how = Serving(base=base, is_development=True, static=static)
    develop(app, Listening(host=host, port=port, fd=fd), how, reloads=reload, opens=open_page)


@cli.command(
    cls=Command,
    short_help="Serve in production.",
    epilog=examples(
        "yieldwire serve app.py --host 0.0.0.0 --port 80",
        "yieldwire serve app.py --proxy-headers --proxies 10.0.0.0/8 --access-log",
    ),
)
def serve(  # noqa: PLR0913 - options, passed by name
    app: File,
    *,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    base: Base = BASE,
    workers: Annotated[int, typer.Option(min=1, help="Number of server processes.")] = 1,
    proxy_headers: Annotated[
        bool,
        typer.Option("--proxy-headers", help="Trust X-Forwarded-For and -Proto from --proxies."),
    ] = False,
    proxies: Annotated[
        str, typer.Option(help="Comma-separated addresses of trusted proxies.")
    ] = "127.0.0.1",
    root_path: Annotated[str, typer.Option(help="The path prefix that a proxy strips.")] = "",
    access_log: Annotated[bool, typer.Option("--access-log", help="Log each request.")] = False,
    fd: Fd = None,
) -> None:
    """Serve an application in production, without the developer page.

    On SIGTERM it accepts no new runs, asks readers to reconnect, and gives running actions their
    grace period to finish.
    """
    from yieldwire.cli.server import Serving  # noqa: PLC0415 - needs the extra `server`
    from yieldwire.cli.serving import Listening, publish  # noqa: PLC0415 - the same

    how = Serving(
        base=base,
        access_log=access_log,
        proxy_headers=proxy_headers,
        proxies=proxies,
        root_path=root_path,
    )
    publish(app, Listening(host=host, port=port, fd=fd), how, workers=workers)


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
    action: Annotated[str, typer.Argument(metavar="ACTION", help="The action's name.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="Its input; see below.")
    ] = None,
    *,
    token: TokenOption = None,
    header: Header = None,
    as_json: AsJson = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Start it, print the run's id, and leave it running.")
    ] = False,
) -> None:
    """Call an action and follow its run: progress, text as it arrives, the result.

    `yieldwire actions` lists the actions and their parameters. Ctrl-C cancels the run; a second
    Ctrl-C exits at once. With --json each event is a line of JSON, and nothing else is on stdout.
    """
    opening = target_of(address_of(target, token, header))

    async def work(interrupt: Interrupt) -> Outcome:
        async with opening as opened:
            found = find_action(await opened.manifest(), action)
            fields = await asyncio.to_thread(read_arguments, arguments or [], found["input"])
            run = await opened.start(found, fields, detached=detach)
            if detach:
                typer.echo(run.id)
                return Outcome.COMPLETED
            return await show_run(run, _display(as_json=as_json), interrupt, cancels=True)

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
    short_help="Write TypeScript types.",
    epilog=examples(
        "yieldwire types app.py -o web/src/actions.gen.ts",
        "yieldwire types app.py -o web/src/actions.gen.ts --watch",
        "yieldwire types app.py -o web/src/actions.gen.ts --check",
        "yieldwire types https://example.com/api/_actions > actions.gen.ts",
    )
    + USE_OF_TYPES,
)
def types(
    target: Anywhere,
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write; default: stdout.")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Write it again when a Python file changes.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; show differences, exit with 1 if any.")
    ] = False,
    token: TokenOption = None,
    header: Header = None,
) -> None:
    """Write the actions as TypeScript types, for the client in a browser."""
    if output is None and (watch or check):
        raise UsageError("--watch and --check need a file; name it with -o.")
    if watch and output is not None:
        if is_url(target) or check:
            raise UsageError("--watch needs a Python file, and cannot be combined with --check.")
        from yieldwire.cli.reload import repeat_on_change  # noqa: PLC0415 - needs watchfiles

        return repeat_on_change(["types", target, "-o", str(output)], path_of(target))
    opening = target_of(address_of(target, token, header))

    async def work(_interrupt: Interrupt) -> Outcome:
        async with opening as opened:
            text = typescript(await opened.manifest())
        return check_types(text, output) if check and output else write_types(text, output)

    raise typer.Exit(run_until_done(work))


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
            return await show_run(attached, _display(as_json=as_json), interrupt, cancels=False)

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


def _display(*, as_json: bool) -> Display:
    return JsonLines() if as_json else Terminal()


def _summary(doc: str) -> str:
    return doc.partition("\n")[0]
