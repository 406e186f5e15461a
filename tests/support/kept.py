"""Which chunks of a log count in the end."""

from collections.abc import Iterable

from yieldwire.log.events import Event, EventType


def kept(events: Iterable[Event]) -> list[Event]:
    """Return the chunks that no restart has taken back."""
    chunks = list[Event]()
    for event in events:
        if event.type is EventType.CHUNK:
            chunks.append(event)
        elif event.type is EventType.RESTARTED:
            chunks = [each for each in chunks if each.seq <= event.value["keep"]]
    return chunks
