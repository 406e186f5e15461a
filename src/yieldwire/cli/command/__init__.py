"""The commands, their options, and their help: one module for each group of commands."""

from yieldwire.cli.command import serving  # noqa: I001 - in the order of the help
from yieldwire.cli.command import agents
from yieldwire.cli.command import working
from yieldwire.cli.command import calling
from yieldwire.cli.command import describing
from yieldwire.cli.command import runs
from yieldwire.cli.command import watching
from yieldwire.cli.command import reading
from yieldwire.cli.command import answering
from yieldwire.cli.command import delivering
from yieldwire.cli.command import migrating
from yieldwire.cli.command import examining
from yieldwire.cli.command.program import cli

__all__ = [
    "agents",
    "answering",
    "calling",
    "cli",
    "delivering",
    "describing",
    "examining",
    "migrating",
    "reading",
    "runs",
    "serving",
    "watching",
    "working",
]
