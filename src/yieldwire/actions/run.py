"""A run in Python code: its chunks, its events and its result."""

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from typing import Any, Final, Generic, Protocol, TypeVar, cast

from yieldwire.actions.runnable import Runnable
from yieldwire.clock import Clock
from yieldwire.display.following import show_in_cell, show_until_end
from yieldwire.errors import ErrorObject, Json, StoreError, Unavailable
from yieldwire.errors.lookup import error_from
from yieldwire.log.events import Block, Event, EventType
from yieldwire.log.message import Message
from yieldwire.log.run import RunRecord, Verb
from yieldwire.log.snapshot import Fold

T = TypeVar("T")

_TICK: Final = 15.0
"""Seconds between two signals that a waiting reader is still present."""


class RunReader(Protocol):
    """A reader of one run."""

    def pages(self, after: int, *, tick: float) -> AsyncGenerator[Sequence[Block], None]:
        """Yield everything after ``after``, up to the run's end."""
        ...


class Sharing(Protocol):
    """Makes links for people without an account."""

    def share_url(self, run_id: str, verbs: Iterable[Verb], *, expires_at: float) -> str:
        """Return the URL of a run's page, with which everyone can do what ``verbs`` say."""
        ...


class Following(Protocol):
    """What a run's handle needs of the application."""

    @property
    def clock(self) -> Clock:
        """The source of time."""
        ...

    @property
    def signer(self) -> Sharing:
        """Makes links for people without an account."""
        ...

    @property
    def is_closing(self) -> bool:
        """Whether it accepts no new runs."""
        ...

    async def ready(self) -> object:
        """Open the application at its first call."""
        ...

    def reader(self, run_id: str) -> RunReader:
        """Return a new reader of a run."""
        ...

    async def fold(self, run_id: str) -> Fold:
        """Return the state of the run's log."""
        ...

    async def tell(
        self,
        run_id: str,
        value: object,
        *,
        question: str | None = ...,
        by: str | None = ...,
        key: str | None = ...,
    ) -> Message:
        """Put an answer or a message into a run's inbox."""
        ...

    async def cancel(self, run_id: str, reason: str = ...) -> RunRecord:
        """Ask a run to stop."""
        ...

    async def snapshot(self, run_id: str) -> dict[str, Json]:
        """Return the run's state in one object."""
        ...


class Run(Generic[T]):
    """A run in Python code: iterate it for its chunks, await its result."""

    def __init__(
        self, app: Following, record: RunRecord, action: Runnable[..., Any, T] | None
    ) -> None:
        self._app, self._action = app, action
        self._name = record.action
        self.id: Final = record.id

    def __repr__(self) -> str:
        return f"<Run {self.id} of {self._name}>"

    def _ipython_display_(self) -> None:
        """Show the run in a notebook's cell, and update that until the run has ended."""
        show_in_cell(self)

    async def show(self) -> T:
        """Show how far the run is until it has ended, and return its result.

        A notebook shows it in the output of the cell, and a terminal as a bar if Rich is installed.
        In a notebook, a cell whose last value is a run shows the same without waiting.

        Raises:
            ActionError: If the run failed with an error of the action's own.
            RunError: If it was cancelled, or failed for another reason.
        """
        await show_until_end(self)
        return await self.result()

    async def events(self, after: int = 0) -> AsyncGenerator[Event, None]:
        """Yield the events after ``after``, as they come, up to the terminal one.

        Raises:
            StoreError: If the store failed.
            Unavailable: If the application is closed before the run has ended.
        """
        async with aclosing(self.pages(after)) as pages:
            async for page in pages:
                for block in page:
                    for event in block.events():
                        yield event

    async def pages(self, after: int = 0) -> AsyncGenerator[Sequence[Block], None]:
        """Yield the same as `events`, as many blocks at a time as there are.

        A page is empty if nothing came for a while.
        """
        await self._app.ready()
        try:
            async with aclosing(self._app.reader(self.id).pages(after, tick=_TICK)) as pages:
                async for page in pages:
                    yield page
        except StoreError as exc:
            if self._app.is_closing:
                raise Unavailable from exc
            raise

    async def __aiter__(self) -> AsyncGenerator[Json, None]:
        """Yield the chunks of the action, as plain JSON values.

        If the run is restarted, the chunks after its saved place come again: what was yielded
        cannot be taken back. `events` tells of it, with ``restarted`` and what it keeps.

        Raises:
            ActionError: If the run fails with an error of the action's own.
            RunError: If it is cancelled, or fails for another reason.
        """
        async with aclosing(self.events()) as events:
            async for event in events:
                if event.type is EventType.CHUNK:
                    yield event.value
                else:
                    check_end(event)

    async def result(self) -> T:
        """Return the result when the run has completed, as the type that the action declares.

        If the run's action is not one of this application's, the result is plain JSON.

        Raises:
            ActionError: If the run failed with an error of the action's own.
            RunError: If it was cancelled, or failed for another reason.
        """
        async for _ in self.events():
            pass
        outcome = (await self._app.fold(self.id)).outcome()
        if outcome["error"] is not None:
            raise error_from(ErrorObject.from_dict(outcome["error"]))
        result = outcome["result"]
        if self._action is not None:
            result = self._action.signature.result.read(result)
        return cast("T", result)

    async def waiting(self) -> dict[str, Json] | None:
        """Return where a pending run waits; ``None`` if it does not.

        It has ``before``, about how many runs are before it in its queue, ``expectedMs``, about how
        long it waits, and ``notBefore``, when it starts at the earliest; each can be ``None``.
        """
        waiting: dict[str, Json] | None = (await self.snapshot())["waiting"]
        return waiting

    async def questions(self) -> list[Json]:
        """Return the open questions, in the order of asking.

        Each has an ``id``, a ``prompt``, the ``name`` and the JSON ``schema`` of the answer, and,
        if the action gave them, ``detail`` and ``expiresAt``.
        """
        return (await self._app.fold(self.id)).questions.listed()

    async def answer(
        self, question: str, value: object, *, by: str | None = None, key: str | None = None
    ) -> Message:
        """Answer a question. The first answer counts.

        Args:
            question: The question's id.
            value: Plain JSON, or a value of the type that the action asks for.
            by: The owner who answers, for the log.
            key: The idempotency key, within the run: the same key and value are one answer.

        Raises:
            NotFound: If the run has not asked this question.
            ValidationFailed: If the value does not match; the question is still open.
            AlreadyAnswered: If there is another answer, or the question's time is over.
            RunEnded: If the run has ended.
        """
        return await self._app.tell(self.id, value, question=question, by=by, key=key)

    async def send(
        self, message: object, *, by: str | None = None, key: str | None = None
    ) -> Message:
        """Send a message to the action, which receives messages in the order of acceptance.

        Args:
            message: Plain JSON, or a value of the type that the action declares as ``inbox=``.
            by: The owner who sends it.
            key: The idempotency key, within the run: the same key and value are one message.

        Raises:
            NotFound: If the action takes no messages.
            ValidationFailed: If the message does not match.
            RunEnded: If the run has ended.
            InboxFull: If the run takes no more messages.
        """
        return await self._app.tell(self.id, message, by=by, key=key)

    async def cancel(self) -> None:
        """Ask the run to stop. Calling it again has no effect."""
        await self._app.cancel(self.id)

    async def snapshot(self) -> dict[str, Json]:
        """Return the run's state in one object."""
        return await self._app.snapshot(self.id)

    def share(self, *, expires: float, verbs: Iterable[Verb] = ("read",)) -> str:
        """Return the URL of the run's page for somebody without an account.

        Everyone who has it can do what ``verbs`` say to this run, and nothing else.

        Args:
            expires: After how many seconds it is no longer accepted.
            verbs: Some of ``"read"``, ``"answer"``, ``"send"`` and ``"cancel"``.

        Raises:
            UsageError: If the application has no ``secret=`` or no ``url=``.
        """
        until = self._app.clock.now() + expires
        return self._app.signer.share_url(self.id, verbs, expires_at=until)


def check_end(event: Event) -> None:
    """Raise the error of a run whose terminal event is this.

    Raises:
        ActionError: If the run failed with an error of the action's own.
        RunError: If it was cancelled, or failed for another reason.
    """
    if event.is_terminal and event.type is not EventType.DONE:
        raise error_from(ErrorObject.from_dict(event.value))
