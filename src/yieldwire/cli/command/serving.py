"""The commands that serve an application: `dev` and `serve`."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from yieldwire.cli.command.program import cli
from yieldwire.cli.help import Command, examples
from yieldwire.cli.mounting import BASE

File: TypeAlias = Annotated[
    str, typer.Argument(metavar="APP", help="A Python file, app.py or app.py:name.")
]
Host: TypeAlias = Annotated[str, typer.Option(help="The address to listen on.")]
Port: TypeAlias = Annotated[int, typer.Option(help="The port; 0 picks a free one.")]
Base: TypeAlias = Annotated[str, typer.Option(help="The path prefix for actions.")]
Fd: TypeAlias = Annotated[int | None, typer.Option(hidden=True)]


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
    work: Annotated[bool, typer.Option(help="Execute the runs of queues here.")] = True,
    fd: Fd = None,
) -> None:
    """Serve an application during development, with a page to try its actions.

    The page lists the actions, each with a form, and every run. It is for this machine only:
    everyone who can open it sees all runs. Requests and runs are logged.

    In an application of FastAPI, Starlette, Litestar or Quart, mounted actions are found and the
    whole application is served. APP can also be a function that returns one: app.py:create_app.
    """
    from yieldwire.cli.server import Serving  # noqa: PLC0415 - needs the extra `server`
    from yieldwire.cli.serving import Listening, develop  # noqa: PLC0415 - the same

    how = Serving(base=base, is_development=True, static=static, works=work)
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
