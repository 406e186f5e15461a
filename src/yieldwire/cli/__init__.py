"""The command line: ``yieldwire dev``, ``serve``, ``call`` and their siblings."""

import sys

from yieldwire.errors import MissingDependency


def main() -> None:
    """Run the command that the arguments name, and leave with its exit code."""
    try:
        from yieldwire.cli.command import run  # noqa: PLC0415 - it needs what may be missing

        run()
    except ImportError as exc:
        package = (exc.name or "").partition(".")[0]
        if package not in {"typer", "rich", "uvicorn", "watchfiles"}:
            raise
        sys.stderr.write(f"{MissingDependency(package, 'cli', 'The command line')}\n")
        sys.exit(2)
