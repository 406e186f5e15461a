"""The layout of `--help`, down to terminals of 30 columns, and the texts below it."""

import re
import shutil
import textwrap
from typing import Any, Final

from typer.core import TyperCommand, TyperGroup

WIDTH: Final = max(min(shutil.get_terminal_size().columns, 80) - 2, 30)
"""The columns of a help text. On its own it would be 50 on a terminal that has only 45."""

_NARROW: Final = 60
_TYPE: Final = re.compile(r" ?<(.*)>")
_METAVARS: Final = {"int": " NUMBER", "int range": " NUMBER", "path": " PATH"}
_IN_QUOTES: Final = re.compile(r"(['\"]).*?\1")
_SPACE: Final = "\N{NO-BREAK SPACE}"


class Pipe(Exception):
    """The reader of the output has closed it, as ``head`` does."""


class Command(TyperCommand):
    """A command whose help names values by what they are, ``--port NUMBER``."""

    # Any: typer's own classes for these are private.

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ANN401 - as above
        """Return the words after the command in its usage."""
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - as above
        """Write the arguments and options."""
        _write_parameters(self.get_params(ctx), ctx, formatter)


class Group(TyperGroup):
    """The program: like its commands, and without a failure if a pipe is closed."""

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - as above
        """Write the options and the commands."""
        _write_parameters(self.get_params(ctx), ctx, formatter)
        self.format_commands(ctx, formatter)

    def make_context(self, *args: Any, **named: Any) -> Any:  # noqa: ANN401 - passed on
        """Read the arguments, which prints help."""
        try:
            return super().make_context(*args, **named)
        except BrokenPipeError as exc:
            raise Pipe from exc  # typer would exit with 1

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - passed on
        """Run the command."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as exc:
            raise Pipe from exc


def _write_parameters(parameters: Any, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - as above
    for kind in ("argument", "option"):
        found = [one.get_help_record(ctx) for one in parameters if one.param_type_name == kind]
        rows = [(_named(row[0], kind), row[1]) for row in found if row is not None]
        if rows:
            with formatter.section(f"{kind.capitalize()}s"):
                formatter.write_dl(rows, col_max=30 if formatter.width >= _NARROW else 14)


def _named(name: str, kind: str) -> str:
    """Replace a Python type by a name for its values."""
    return _TYPE.sub(
        lambda match: "" if kind == "argument" else _METAVARS.get(match[1], " TEXT"), name
    )


def examples(*lines: str) -> str:
    """Return a section of commands, which a shell can read although they are wrapped."""
    return "\n".join(["\b", "Examples:", *map(_example, lines)])


def _example(line: str) -> str:
    # An argument in quotes is not split.
    whole = _IN_QUOTES.sub(lambda match: match[0].replace(" ", _SPACE), line)
    pieces = textwrap.wrap(
        whole,
        WIDTH - 6,  # the indentation of a help's end, ours, and a backslash
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return textwrap.indent(" \\\n".join(pieces), "  ").replace(_SPACE, " ")


def _rows(title: str, rows: dict[str, str]) -> str:
    lines = ["\n\n\b", f"{title}:"]
    column = max(map(len, rows)) + 2
    for name, text in rows.items():
        first, rest = f"  {name:<{column}}", " " * (column + 2)
        lines += textwrap.wrap(text, WIDTH - 2, initial_indent=first, subsequent_indent=rest)
    return "\n".join(lines)


VALUES: Final = _rows(
    "Input, read as the types of the parameters say",
    {
        "name=Anna": "a text, a number, yes, null, or an object as JSON",
        "tags=a tags=b": "a list, item by item",
        "tags:='[1, 2]'": "JSON, whatever the type",
        "file=@a.csv": "a file, or its content where no file is taken",
    },
)


EXIT_CODES: Final = _rows(
    "Exit codes",
    {
        "0": "the run completed, or the reader of the output has left, such as head",
        "1": "the run failed",
        "2": "the command line is wrong",
        "3": "the call was refused before it started: input, 401, 403, 404, 429 ...",
        "4": "the server cannot be reached, or is not a Yieldwire application",
        "130": "the run was cancelled, by Ctrl-C or by somebody else",
    },
)

CODES_OF_MESSAGES: Final = _rows(
    "Exit codes",
    {
        "0": "the run has it",
        "2": "the command line is wrong",
        "3": "it was refused: input, 401, 403, 404; answered by somebody else; the run has ended",
        "4": "the server cannot be reached, or is not a Yieldwire application",
    },
)

CODES_OF_DOCTOR: Final = _rows(
    "Exit codes",
    {
        "0": "there is no problem; there can be warnings",
        "1": "there is a problem",
        "2": "the command line is wrong",
        "4": "the server cannot be reached, or is not a Yieldwire application",
    },
)

USE_OF_TYPES: Final = """

\b
In TypeScript:
  import { createClient } from "yieldwire"
  import type { Actions }
    from "./actions.gen"
  const actions = createClient<Actions>(
    { url: "/api/_actions" },
  )

\b
In Python:
  from yieldwire.client import Client
  from shop import Actions
  actions = Actions(Client("https://..."))
"""


USE_OF_OPENAPI: Final = """

\b
Generate a client from it:
  npx @hey-api/openapi-ts \\
    -i openapi.json -o src/client
  npx openapi-typescript \\
    openapi.json -o src/api.d.ts

\b
Check it:
  pip install openapi-spec-validator
  openapi-spec-validator openapi.json
"""
