"""What somebody else tells a run, as its inbox keeps it."""

from typing import NamedTuple


class Message(NamedTuple):
    """One message to a run: for the action's inbox, or the answer to a question.

    ``number`` and ``at`` are given by the store that accepts it. ``data`` is JSON in one line, as
    `yieldwire.log.events.one_line` returns it.
    """

    number: int
    """1, 2, 3 in the order of acceptance, without a gap."""
    data: bytes
    question: str | None = None
    """The id of the question that it answers; ``None``: it is for the action's inbox."""
    by: str | None = None
    """The owner who sent it."""
    key: str | None = None
    """The idempotency key, within the run."""
    at: float = 0.0
    """When it was accepted, in seconds since the epoch, by the store's clock."""
    is_timeout: bool = False
    """Whether it closes a question without an answer. Only the run's own attempt sends it."""

    def repeats(self, known: "Message") -> bool:
        """Whether this says the same as a message that was accepted before."""
        return (self.data, self.question, self.is_timeout) == (
            known.data,
            known.question,
            known.is_timeout,
        )
