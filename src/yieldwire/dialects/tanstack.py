"""TanStack Start: server functions, as `@tanstack/start-client-core` calls and reads them.

An action that streams is an async generator for the client, ``for await (const x of await fn())``:
one frame makes the generator, then each chunk is a frame, and so is its return or its throw. The
client waits forever if a connection is cut between two frames, as with its own server; it is never
told an end.
"""

from collections.abc import Iterable, Sequence
from struct import Struct
from typing import ClassVar, Final

from pydantic_core import to_json

from yieldwire.asgi import Actions
from yieldwire.dialects.call import ForeignCall
from yieldwire.dialects.dialect import Dialect
from yieldwire.dialects.head import Head, Reply
from yieldwire.dialects.input import AnyAction
from yieldwire.dialects.seroval import UNDEFINED, Node, Writer, read
from yieldwire.dialects.translation import DialectEncoder
from yieldwire.errors import ErrorObject, Json, ParseError
from yieldwire.log.events import Event

_FRAME: Final = Struct(">BII")
"""The head of a frame: its type, 0 for JSON, the number of its stream, and its length."""
MAX_FRAME_BYTES: Final = 16 * 1024 * 1024
"""The longest frame that the client accepts."""
_GENERATOR: Final = (
    b'{"t":10,"i":0,"p":{"k":["result"],"v":[{"t":11,"i":1,"p":{"k":[{"t":17,"i":2,"s":0},'
    b'{"t":17,"i":7,"s":11}],"v":[{"t":30,"a":[{"t":29,"i":3,"a":[{"t":26,"i":4,"s":1},'
    b'{"t":4,"i":2}]},{"t":31,"i":5,"a":[],"f":{"t":26,"i":6,"s":4}}]},'
    b'{"t":1,"s":"AsyncGenerator"}]},"o":0}]},"o":0}'
)
"""An object whose ``result`` is an async generator, which reads stream 5."""
_STREAM, _FIRST_FREE = 5, 8
_YIELD, _THROW, _RETURN = 32, 33, 34
_SERIALIZED: Final = ("x-tss-serialized", "true")
_CONTEXT: Final = "__TSS_CONTEXT"


class TanStackEncoder(DialectEncoder):
    """An async generator, frame by frame."""

    media_type: ClassVar[str] = "application/x-tss-framed; v=1"
    headers: Sequence[tuple[str, str]] = (_SERIALIZED,)

    def __init__(self) -> None:
        self._writer = Writer(_FIRST_FREE)

    def begin(self, run_id: str) -> Iterable[bytes]:
        """Return the frame that makes the generator."""
        return [_frame(_GENERATOR)]

    def chunk(self, event: Event) -> Iterable[bytes]:
        """Return what the generator yields."""
        return [_step(_YIELD, self._writer.write(event.value))]

    def done(self, event: Event) -> Iterable[bytes]:
        """Return what the generator returns: the run's result."""
        value = event.value
        node = self._writer.write(value["result"]) if "result" in value else UNDEFINED
        return [_step(_RETURN, node)]

    def error(self, error: ErrorObject) -> Iterable[bytes]:
        """Return what the generator throws."""
        return [_step(_THROW, _thrown(self._writer, error))]

    def cut(self, error: ErrorObject) -> Iterable[bytes]:
        """Return an error: the client cannot resume, and would wait forever."""
        return self.error(error)

    def keepalive(self) -> bytes:
        """Return a frame whose value nobody uses."""
        return _frame(to_json(UNDEFINED))


class TanStackStart(Dialect):
    """Answers server functions of TanStack Start, whose id is the name of an action.

    A client that leaves cannot come back, so its run stops at once, unless the action lets it
    continue without readers (``linger=None``).
    """

    methods: ClassVar[tuple[str, ...]] = ("POST", "GET")

    def takes(self, actions: Actions, head: Head) -> bool:
        """Whether the client of TanStack Start sends such a request."""
        return "x-tsr-serverfn" in head.headers

    async def answer(self, call: ForeignCall) -> None:
        """Start the run of the path's action, and answer with a generator or its result."""
        action = call.action(call.head.path.removeprefix("_serverFn/"))

        async def read_input() -> Json:
            return await _input(call, action)

        run = await call.start(action, read_input, linger=0.0)
        if action.signature.shape.streams:
            await call.stream(run, TanStackEncoder())
            return
        outcome = await call.outcome(run)
        if outcome.error is not None:
            await call.reply(_failed(outcome.error))
        else:
            writer = Writer()
            await call.reply(_whole(writer.wrap("result", lambda: writer.write(outcome.result))))

    def refusal(self, head: Head, error: ErrorObject) -> Reply:
        """Return an error that the client throws."""
        return _failed(error)


async def _input(call: ForeignCall, action: AnyAction) -> Json:
    """Return the input of a request: a form as it is, or the ``data`` of a payload.

    Raises:
        CallError: If it cannot be read.
    """
    head = call.head
    if head.method == "GET":
        payload = dict(head.query).get("payload")
        return _data(call.parse(payload.encode(), around=_AROUND)) if payload else {}
    if head.headers.get("content-type", "").startswith("multipart/"):
        fields = await call.fields(action.input_schema)
        if isinstance(fields, dict):
            fields.pop(_CONTEXT, None)
        return fields
    body = await call.body()
    return _data(call.parse(body, around=_AROUND)) if body else {}


_AROUND: Final = 64
"""How much deeper than its value a payload nests: three levels for each of the value's."""


def _data(document: Json) -> Json:
    payload = read(document)
    if not isinstance(payload, dict):
        raise ParseError("The payload has no data.")
    return payload.get("data", {})


def _frame(payload: bytes) -> bytes:
    if len(payload) > MAX_FRAME_BYTES:
        raise ValueError(f"A frame of TanStack Start has at most {MAX_FRAME_BYTES} bytes.")
    return _FRAME.pack(0, 0, len(payload)) + payload


def _step(kind: int, node: Node) -> bytes:
    return _frame(to_json({"t": kind, "i": _STREAM, "f": node}))


def _thrown(writer: Writer, error: ErrorObject) -> Node:
    told = error.to_dict()
    message = told.pop("message")
    return writer.error(message, {key: each for key, each in told.items() if each is not None})


def _failed(error: ErrorObject) -> Reply:
    writer = Writer()
    return _whole(writer.wrap("error", lambda: _thrown(writer, error)), status=error.status)


def _whole(node: Node, status: int = 200) -> Reply:
    return Reply(
        status=status, body=to_json(node), media_type="application/json", headers=[_SERIALIZED]
    )
