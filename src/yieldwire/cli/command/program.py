"""The program, and the arguments and options that several commands have."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

from yieldwire.cli.asking import Answering
from yieldwire.cli.completing import Offer, runs_offered
from yieldwire.cli.display import Display, JsonLines, Terminal
from yieldwire.cli.help import WIDTH, Group, examples
from yieldwire.cli.keyboard import keyboard
from yieldwire.cli.source import is_url

cli: Final = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    rich_markup_mode=None,  # the examples keep their lines
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "terminal_width": WIDTH},
)

Anywhere: TypeAlias = Annotated[
    str,
    typer.Argument(metavar="APP|URL", help="A Python file, or where an application is mounted."),
]
Url: TypeAlias = Annotated[
    str, typer.Argument(metavar="URL", help="Where the application is mounted.")
]


def complete_runs(ctx: typer.Context, incomplete: str) -> Sequence[Offer]:
    """Offer the ids of runs."""
    return runs_offered(ctx.params, incomplete)


def complete_active_runs(ctx: typer.Context, incomplete: str) -> Sequence[Offer]:
    """Offer the ids of runs that are running."""
    return runs_offered(ctx.params, incomplete, is_active=True)


RunId: TypeAlias = Annotated[
    str, typer.Argument(metavar="RUN", help="The run's id.", autocompletion=complete_runs)
]
ActiveRunId: TypeAlias = Annotated[
    str, typer.Argument(metavar="RUN", help="The run's id.", autocompletion=complete_active_runs)
]
TokenOption: TypeAlias = Annotated[
    str | None, typer.Option(envvar="YIELDWIRE_TOKEN", help="A bearer token, for a URL.")
]
Header: TypeAlias = Annotated[
    list[str] | None, typer.Option("--header", "-H", help="'Name: value', for a URL; repeatable.")
]
Ask: TypeAlias = Annotated[
    bool, typer.Option(help="Ask the run's questions here, if this is a terminal.")
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
OutputFile: TypeAlias = Annotated[
    Path | None, typer.Option("--output", "-o", help="The file to write; default: stdout.")
]
Watches: TypeAlias = Annotated[
    bool, typer.Option("--watch", help="Write it again when a Python file changes.")
]
Checks: TypeAlias = Annotated[
    bool, typer.Option("--check", help="Write nothing; show differences, exit with 1 if any.")
]


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


def display_of(*, as_json: bool) -> Display:
    """Return the view of a run: lines of JSON, or what a person reads."""
    return JsonLines() if as_json else Terminal()


def answering_of(target: str, *, asks: bool, as_json: bool) -> Answering:
    """Return how the questions of a run are answered: here, on a terminal, or elsewhere."""
    return Answering(
        person=keyboard() if asks and not as_json else None,
        url=target if is_url(target) else None,
        is_told=not as_json,
    )
