"""The command line: ``yieldwire dev``, ``serve``, ``call`` and others."""

import sys

from yieldwire.errors import MissingDependency


def main() -> None:
    """Run the command in the arguments, and exit with its code."""
    try:
        from yieldwire.cli.exit import run  # noqa: PLC0415 - it imports optional dependencies

        run()
    except ImportError as exc:
        package = (exc.name or "").partition(".")[0]
        if package not in {"typer", "rich", "uvicorn", "watchfiles"}:
            raise
        sys.stderr.write(f"{MissingDependency(package, 'cli', 'The command line')}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)  # pressed so early that nothing had begun
