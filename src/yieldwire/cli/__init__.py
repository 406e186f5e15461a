"""The command line: ``yieldwire dev``, ``serve``, ``call`` and their siblings."""

import sys

from yieldwire.errors import MissingDependency


def main() -> None:
    """Run the command that the arguments name, and leave with its exit code."""
    try:
        from yieldwire.cli.command import run  # noqa: PLC0415 - it needs what may be missing
    except ImportError as exc:
        if exc.name not in {"typer", "rich"}:
            raise
        sys.stderr.write(f"{MissingDependency(exc.name, 'cli', 'The command line')}\n")
        sys.exit(2)
    run()
