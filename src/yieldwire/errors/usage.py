"""Errors that the developer who uses this package must fix."""

from yieldwire.errors.error import YieldwireError


class UsageError(YieldwireError):
    """The developer who uses this package must change something."""


class MissingDependency(UsageError, ImportError):
    """An optional dependency is not installed; the message has the ``pip install`` line."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        self.package = package
        self.extra = extra
        super().__init__(
            f"{purpose} needs the package {package!r}: pip install 'yieldwire[{extra}]'"
        )


class InvalidAction(UsageError):
    """A function cannot be used as an action."""


class InvalidOutput(UsageError):
    """A chunk, a result or an error's data does not match its type, or cannot be sent as JSON.

    The message names the action, the place in the value, and the type at that place.
    """

    tells_place = True


class IllegalTransition(UsageError):
    """A run was asked to take a step that the table does not allow."""
