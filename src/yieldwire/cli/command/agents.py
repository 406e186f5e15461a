"""The command that serves agents: `mcp`."""

from typing import Annotated

import typer

from yieldwire.cli.command.program import cli
from yieldwire.cli.command.serving import File, Host, Port
from yieldwire.cli.help import Command, examples


@cli.command(
    cls=Command,
    short_help="Serve as tools for agents.",
    epilog=examples(
        "yieldwire mcp app.py",
        "yieldwire mcp app.py --http --port 8080",
        "yieldwire mcp app.py -H 'Authorization: Bearer local'",
    ),
)
def mcp(
    app: File,
    *,
    http: Annotated[bool, typer.Option("--http", help="Listen, instead of using stdin.")] = False,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    token: Annotated[
        str | None,
        typer.Option(envvar="YIELDWIRE_TOKEN", help="The bearer token of a client at stdin."),
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option("--header", "-H", help="'Name: value', of a client at stdin; repeatable."),
    ] = None,
) -> None:
    """Serve an application's actions as tools of the Model Context Protocol.

    The client starts this command, and speaks to it by stdin and stdout. With --http it is served
    at http://HOST:PORT/mcp/ to any number of clients, next to the application itself.

    --token and --header are for `identify`, which sees a client at stdin as a request with them.
    """
    from yieldwire.cli.agents import serve_http, serve_lines  # noqa: PLC0415 - needs `server`
    from yieldwire.cli.target import address_of  # noqa: PLC0415 - needs the extra `client`

    if http:
        serve_http(app, host, port)
        return
    headers = dict(address_of(app, token, header).headers)
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    serve_lines(app, headers)
