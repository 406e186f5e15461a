"""Messages to runs, in the database that processes share."""

from collections.abc import Sequence

from yieldwire.log.message import Message
from yieldwire.stores import no_such_run
from yieldwire.stores.inbox import InboxState, accept
from yieldwire.stores.postgres.rows import to_message
from yieldwire.stores.postgres.session import Session


async def send(
    session: Session, run_id: str, message: Message, *, most: int, most_bytes: int
) -> Message:
    """Do what a store's `send` does."""
    given = message._asdict()
    await session.do("lock_run", id=run_id)
    inbox = await session.one("inbox", id=run_id)
    if inbox is None:
        raise no_such_run(run_id)
    known = []
    if message.key is not None or message.question is not None:
        rows = await session.all("known_messages", **{**given, "id": run_id})
        known = [*map(to_message, rows)]
    state = InboxState(
        known=_first(known, "key", message.key),
        answer=_first(known, "question", message.question),
        last=inbox["last"],
        count=inbox["count"],
        size=inbox["size"],
        has_ended=inbox["has_ended"],
    )
    repeated = accept(message, state, most=most, most_bytes=most_bytes)
    if repeated is not None:
        return repeated
    message = message._replace(number=state.last + 1, at=inbox["wall"])
    await session.do("insert_message", n=inbox["n"], **message._asdict())
    return message


def _first(known: Sequence[Message], field: str, value: str | None) -> Message | None:
    same = (each for each in known if value is not None and getattr(each, field) == value)
    return next(same, None)


async def behind(session: Session, run_id: str, after: int) -> Sequence[Message]:
    """Return the messages to a run after number ``after``.

    Raises:
        NotFound: If there is no such run.
    """
    rows = await session.all("messages_behind", id=run_id, after=after)
    if not rows:
        raise no_such_run(run_id)
    return [to_message(row) for row in rows if row["number"] is not None]
