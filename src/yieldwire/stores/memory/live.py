"""How many unfinished runs each caller has, for the limits of new ones."""

from collections.abc import Mapping
from typing import Final

from yieldwire.log.run import RunRecord

_NONE: Final[Mapping[str, int]] = {}


class Live:
    """Counts unfinished runs, by caller and action."""

    def __init__(self) -> None:
        self._callers: dict[str, dict[str, int]] = {}

    def of_caller(self, run: RunRecord) -> Mapping[str, int]:
        """Return how many runs of each action the caller of ``run`` has."""
        return self._callers.get(run.quota_key, _NONE)

    def add(self, run: RunRecord) -> None:
        """Count a run that was created."""
        actions = self._callers.setdefault(run.quota_key, {})
        actions[run.action] = actions.get(run.action, 0) + 1

    def drop(self, run: RunRecord) -> None:
        """Stop counting a run, which has ended."""
        actions = self._callers[run.quota_key]
        actions[run.action] -= 1
        if not any(actions.values()):
            del self._callers[run.quota_key]
