"""The command that describes an application for other tools: `openapi`."""

import json
from typing import Annotated, cast

import typer

from yieldwire.cli.command.program import Checks, OutputFile, Watches, cli
from yieldwire.cli.command.serving import File
from yieldwire.cli.generated import check_options, put_generated
from yieldwire.cli.help import USE_OF_OPENAPI, Command, examples
from yieldwire.cli.mounting import BASE
from yieldwire.cli.source import load_source, only_actions, path_of
from yieldwire.describe.openapi import document
from yieldwire.errors import Json


@cli.command(
    cls=Command,
    short_help="Write the OpenAPI document.",
    epilog=examples(
        "yieldwire openapi app.py -o openapi.json",
        "yieldwire openapi app.py -o openapi.json --check",
        "yieldwire openapi app.py --server https://example.com/api/_actions > openapi.json",
    )
    + USE_OF_OPENAPI,
)
def openapi(
    app: File,
    *,
    server: Annotated[
        str | None,
        typer.Option(metavar="URL", help=f"Where it is served; default: {BASE}, or where mounted."),
    ] = None,
    output: OutputFile = None,
    watch: Watches = False,
    check: Checks = False,
) -> None:
    """Write the OpenAPI 3.2 document of the actions, for generators of clients and other tools.

    If the actions are mounted in a FastAPI application, it is the document of the whole
    application, with the actions in it. A server has the same document at openapi.json.
    """
    check_options(output, watch=watch, check=check)
    if watch:
        from yieldwire.cli.reload import repeat_on_change  # noqa: PLC0415 - needs watchfiles

        at = [] if server is None else ["--server", server]
        return repeat_on_change(["openapi", app, *at, "-o", str(output)], path_of(app))
    text = json.dumps(_described(app, server), indent=2, ensure_ascii=False) + "\n"
    raise typer.Exit(put_generated(text, output, check=check))


def _described(target: str, server: str | None) -> dict[str, Json]:
    source = load_source(target)
    if callable(describe := getattr(source.host, "openapi", None)):  # FastAPI's own method
        whole: dict[str, Json] = cast("dict[str, Json]", describe())
        return {**whole, "servers": [{"url": server}]} if server else whole
    site = only_actions(source, target).site
    return document(
        site.app.registry.actions,
        base=server or next(iter(source.places)) or BASE,
        about=site.openapi,
        names_webhooks=site.app.webhooks.can_be_named,
    )
