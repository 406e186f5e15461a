"""The whole command, from its arguments to its exit code."""

import os
import sys

from yieldwire.cli.command import cli
from yieldwire.cli.completing import rejoin_words
from yieldwire.cli.help import Pipe
from yieldwire.cli.outcome import Outcome
from yieldwire.cli.output import fail, note
from yieldwire.cli.source import LoadFailed
from yieldwire.errors import Unreachable, UsageError, YieldwireError


def run() -> None:
    """Run the command in the arguments, and exit with its code."""
    rejoin_words(os.environ)
    code = _code()
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # Python would complain at its exit, and change the code.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def _code() -> int | str | None:
    try:
        cli(prog_name="yieldwire")
    except Pipe:
        return Outcome.COMPLETED  # nothing failed: the reader has what it wanted
    except BrokenPipeError:
        return Outcome.USAGE  # the reader of a message about the command line has left
    except SystemExit as exc:
        return exc.code
    except LoadFailed as exc:
        note(f"{exc.details}\n\n{exc}")
        return Outcome.USAGE
    except YieldwireError as exc:
        if isinstance(exc, UsageError):
            note(str(exc))
        else:
            fail(exc.error_object())
            if isinstance(exc, Unreachable) and exc.run_id is not None:
                note(f"Run {exc.run_id} may still be running; `yieldwire tail` follows it.")
        return Outcome.of_error(exc)
    return Outcome.COMPLETED
