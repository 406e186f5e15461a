"""What an action asks the readers of its run, as the log has it.

The data of a ``question`` is an object with ``id``, ``prompt``, ``name`` and ``schema``, and, if
there is one, ``detail`` and ``expiresAt``; that of its ``answer`` has the same ``id``.
"""

from typing import Final

from pydantic_core import from_json

from yieldwire.errors import Json
from yieldwire.log.events import Event, EventType

_NAME_BYTES: Final = 200
"""The approximate size of what is known of a question that is closed."""


class Questions:
    """The questions of a run: those that are open, in the order of asking. Feed it every event.

    An answer closes its question, and the end of the run closes all. Another attempt closes none:
    they can be answered before it starts.
    """

    def __init__(self) -> None:
        self._open: dict[str, bytes] = {}
        self._names: dict[str, str] = {}

    def __len__(self) -> int:
        """Return how many are open."""
        return len(self._open)

    @property
    def size(self) -> int:
        """The approximate size in memory, in bytes."""
        return sum(map(len, self._open.values())) + _NAME_BYTES * len(self._names)

    def take(self, event: Event) -> None:
        """Take an event; those that are not about questions change nothing."""
        if event.type is EventType.QUESTION:
            question = event.value
            self._open[question["id"]] = event.data  # the same id replaces the question
            self._names[question["id"]] = question.get("name", "")
        elif event.type is EventType.ANSWER:
            self._open.pop(event.value["id"], None)
        elif event.is_terminal:
            self._open.clear()

    def find(self, question_id: str) -> dict[str, Json] | None:
        """Return the question with this id, if it is open."""
        data = self._open.get(question_id)
        return None if data is None else from_json(data)

    def name_of(self, question_id: str) -> str | None:
        """Return the name of the type of a question's answer; ``None`` if it was never asked."""
        return self._names.get(question_id)

    def listed(self) -> list[Json]:
        """Return the open questions, as their events tell them."""
        return [from_json(data) for data in self._open.values()]
