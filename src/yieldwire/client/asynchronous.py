"""The client: starts runs on a server, and finds existing ones."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from types import TracebackType
from typing import Final, Self

from yieldwire.client.body import Input, OnUpload, body_of
from yieldwire.client.direct import Direct
from yieldwire.client.http import Http
from yieldwire.client.patience import Limit, Lost, Patience
from yieldwire.client.run import RemoteRun
from yieldwire.client.starting import Beginning, ClientStarts, cancellation
from yieldwire.client.transport import TransportName, http_over
from yieldwire.client.watching import watched
from yieldwire.client.wire import (
    LIST,
    NO_CONTENT,
    ApplicationURL,
    HeaderFields,
    Request,
    Token,
    Wire,
    foreign,
    path_of,
)
from yieldwire.errors import Json, NotFound
from yieldwire.setting import CountOrZero, settings

JSON = {"Accept": "application/json"}

END: Final = object()
"""What follows the last chunk."""


@settings
class AsyncClient:
    """Calls the actions that are mounted at ``url``.

    A call survives lost connections: its first request has an idempotency key and is repeated
    with the same one, and a stream resumes after the last event that was read.

    Args:
        url: Where the application is mounted.
        token: A bearer token, or an async function that returns one for each connection.
        headers: Sent with every request.
        http: Your own ``httpx2.AsyncClient`` (or httpx's), which you close; by default there is
            one that this client closes.
        patience: How long to wait and how often to retry.
        transport: ``"http"``, or ``"websocket"`` for one connection that all requests and runs
            share. Its first request's headers and token are also those of the handshake.
        direct_from: Files of an input that have together at least this many bytes are written to
            the server's object store directly, if the server offers it; by default none are.

    Raises:
        MissingDependency: If there is no ``http`` and httpx2 is not installed, or websockets for
            a WebSocket.
        UsageError: If an argument is invalid.

    Example:
        >>> async with AsyncClient("https://example.com/api/_actions") as client:
        ...     async for chunk in client.stream("count", {"to": 3}):
        ...         ...
    """

    def __init__(  # noqa: PLR0913 - settings, passed by name
        self,
        url: ApplicationURL,
        *,
        token: Token = None,
        headers: HeaderFields | None = None,
        http: Http | None = None,
        patience: Patience | None = None,
        transport: TransportName = "http",
        direct_from: CountOrZero | None = None,
    ) -> None:
        self._http = http_over(transport, url, http)
        self._owns_http = http is None
        self._wire = Wire(url, self._http, token=token, headers=headers, patience=patience)
        own = self._http if transport == "http" else None
        self._direct = None if direct_from is None else Direct(self._wire, own, direct_from)
        self._starts = ClientStarts(self._wire, self._direct)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop reading every run, and close the HTTP client unless you passed it."""
        await self._starts.leave()
        await self._wire.aclose()
        if self._direct is not None:
            await self._direct.aclose()
        if self._owns_http:
            await self._http.aclose()

    async def start(
        self,
        action: str,
        input: Input = None,
        *,
        key: str | None = None,
        detached: bool = True,
        webhook: str | None = None,
        on_upload: OnUpload | None = None,
    ) -> RemoteRun:
        """Start a run, and return it when the server has it.

        If this is given up before that, by a timeout or Ctrl-C, the server is told to cancel the
        run; this can take up to two seconds. With a ``key`` it is not told,
        because the same call finds the run again; `cancel_start` cancels it.

        Args:
            action: The action's name.
            input: Its fields; a `pathlib.Path`, an `Upload` or a file opened in binary mode,
                or a list of those, is sent as a file.
            key: Calls with the same key and input give one run; default: a new key per call.
            detached: Whether the run keeps running without readers; ``False``: it is attached, and
                stops when nobody has read it for as long as its action's ``linger`` says.
            webhook: A URL that is told about the run, if the server allows you to name it.
            on_upload: Called with a `Progress` of the bytes of the input's files as they are sent;
                it begins again at 0 if they are sent again. It runs in the client's event loop, and
                must not block.

        Raises:
            Forbidden: If you are not allowed to name the webhook.
            YieldwireError: If the call was refused, or the run failed before its first event;
                then ``run_id`` names it.
        """
        beginning = Beginning(action, key, detached=detached, webhook=webhook)
        return await self._starts.start(beginning, await body_of(input, on_upload))

    async def open(
        self,
        action: str,
        input: Mapping[str, object] | None = None,
        *,
        webhook: str | None = None,
    ) -> RemoteRun:
        """Read a feed, an action that is declared with ``@actions.feed``.

        Raises:
            YieldwireError: If the call was refused.
        """
        return await self._starts.open(action, input or {}, webhook=webhook)

    async def stream(
        self,
        action: str,
        input: Input = None,
        *,
        webhook: str | None = None,
        timeout: float | None = None,
        on_upload: OnUpload | None = None,
    ) -> AsyncGenerator[Json, None]:
        """Start a run and yield its chunks.

        Leaving the loop early does not cancel the run: it waits for a reader for its action's
        ``linger``.

        Args:
            action: The action's name.
            input: Its fields; see `start`.
            webhook: A URL that is told about the run; see `start`.
            timeout: How many seconds all of this can take, until the last chunk is there.
            on_upload: Called as files are sent; see `start`.

        Raises:
            YieldwireError: If the call was refused, or the run failed or was cancelled.
            TimedOut: If the time is over; then the loop is left early.
        """
        limit = Limit(timeout, f"The call of {action}")
        starting = self.start(action, input, detached=False, webhook=webhook, on_upload=on_upload)
        async with await limit.of(starting) as run, aclosing(aiter(run)) as chunks:
            while (chunk := await limit.of(anext(chunks, END), run.id)) is not END:
                yield chunk

    async def call(
        self,
        action: str,
        input: Input = None,
        *,
        webhook: str | None = None,
        timeout: float | None = None,
        on_upload: OnUpload | None = None,
    ) -> Json:
        """Start a run and return its result. See `stream` for the arguments.

        Raises:
            YieldwireError: If the call was refused, or the run failed or was cancelled.
            TimedOut: If the time is over; the run then waits for a reader for its action's
                ``linger``.
        """
        limit = Limit(timeout, f"The call of {action}")
        starting = self.start(action, input, detached=False, webhook=webhook, on_upload=on_upload)
        async with await limit.of(starting) as run:
            return await limit.of(run.result(), run.id)

    def attach(self, run_id: str, after: str | None = None) -> RemoteRun:
        """Return an existing run, to be read from its start, or from after a cursor.

        Args:
            run_id: The run's id.
            after: The ``cursor`` of a run that was read before; its next event is the first.

        Raises:
            ParseError: If ``after`` is not a cursor.
            ForeignCursor: If it belongs to another run.
        """
        return RemoteRun(self._wire, run_id, cursor=after)

    async def snapshot(self, run_id: str) -> dict[str, Json]:
        """Return a run's state in one object."""
        return await self.attach(run_id).snapshot()

    async def cancel(self, run_id: str) -> dict[str, Json]:
        """Ask a run to stop, and return its snapshot. It is idempotent."""
        return await self.attach(run_id).cancel()

    async def answer(self, run_id: str, question: str, value: object) -> dict[str, Json]:
        """Answer a question of a run. See `RemoteRun.answer`."""
        return await self.attach(run_id).answer(question, value)

    async def send(self, run_id: str, message: object) -> dict[str, Json]:
        """Send a message to a run's action. See `RemoteRun.send`."""
        return await self.attach(run_id).send(message)

    async def cancel_start(self, action: str, key: str) -> dict[str, Json]:
        """Cancel the run that was started with ``key``, without its id.

        If there is none, a start with the key that arrives later is refused with `RunCancelled`.
        The answer has the ``runId``, which can be ``None``, and the ``status``.

        Args:
            action: The action's name.
            key: The key that was passed to `start`.

        Raises:
            YieldwireError: If the call was refused.
        """
        answer: dict[str, Json] = await self._wire.json(cancellation(action, key))
        return answer

    async def delete(self, run_id: str) -> None:
        """Delete a run that has ended, and its log.

        Raises:
            NotFound: If the run does not exist.
            YieldwireError: If the call was refused; with ``CONFLICT``, if the run has not ended.
        """
        request = Request(path=path_of("runs", run_id), method="DELETE", headers=JSON)
        may_be_gone = False

        async def forget() -> None:
            nonlocal may_be_gone
            try:
                answer = await self._wire.send(request)
                await self._wire.close(answer)
                if answer.status_code != NO_CONTENT:
                    raise Lost(foreign(answer))
            except Lost as lost:
                may_be_gone = may_be_gone or lost.may_be_done
                raise
            except NotFound:
                if not may_be_gone:
                    raise  # otherwise an earlier try did this, and its answer was lost

        await self._wire.repeat(lambda: self._wire.in_time(forget))

    async def list(  # noqa: PLR0913 - filters, passed by name
        self,
        *,
        status: str | None = None,
        action: str | None = None,
        label: str | None = None,
        parent: str | None = None,
        limit: int | None = None,
        before: str | None = None,
        details: bool = False,
    ) -> dict[str, Json]:
        """Return a page of the caller's own runs, newest first: ``runs``, and ``next`` if any.

        Args:
            status: Only runs with this status.
            action: Only runs of this action.
            label: Only runs with this label.
            parent: Only runs that the action of this run has started.
            limit: The maximum number of runs.
            before: The ``next`` of the previous page.
            details: Whether those that have not ended have their ``progress``, ``questions``,
                ``waiting`` and ``cancelRequested``.
        """
        query = {
            "status": status,
            "action": action,
            "label": label,
            "parent": parent,
            "limit": limit,
            "before": before,
            "details": "1" if details else None,
        }
        page: dict[str, Json] = await self._wire.json(Request(path=LIST, query=query, headers=JSON))
        return page

    async def watch(
        self,
        *,
        status: str | None = None,
        action: str | None = None,
        label: str | None = None,
        parent: str | None = None,
        limit: int | None = None,
        details: bool = False,
    ) -> AsyncGenerator[dict[str, Json], None]:
        """Yield the caller's own runs that match, and then each that is new or has changed.

        First come the newest ones, newest first. A run that changes often is told about once a
        second; one that no longer matches is told once more. Lost connections are made again, and
        if something on the way holds the stream back, the list is polled. It ends only if it is
        refused, or closed.

        Args:
            status: Only runs with this status.
            action: Only runs of this action.
            label: Only runs with this label.
            parent: Only runs that the action of this run has started.
            limit: How many of the newest runs are watched: 1 to 200, by default 50.
            details: Whether those that have not ended have their ``progress``, ``questions``,
                ``waiting`` and ``cancelRequested``.

        Raises:
            YieldwireError: If the call was refused, or the server is away for too long.
        """
        query = {
            "status": status,
            "action": action,
            "label": label,
            "parent": parent,
            "limit": limit,
            "details": "1" if details else None,
        }
        async with aclosing(watched(self._wire, query)) as entries:
            async for entry in entries:
                yield entry

    async def manifest(self) -> dict[str, Json]:
        """Return the actions, under ``actions``, with JSON Schemas."""
        manifest: dict[str, Json] = await self._wire.json(
            Request(path="manifest.json", headers=JSON)
        )
        return manifest
