"""A run as the Model Context Protocol tells it: progress, questions, and one result at the end."""

from collections.abc import Callable, Collection, Iterable
from math import inf
from typing import ClassVar, Final

from pydantic_core import to_json

from yieldwire.dialects.input import AnyAction
from yieldwire.dialects.mcptool import elicitation, structured
from yieldwire.dialects.mcpwire import META, EventPlace
from yieldwire.dialects.translation import DialectEncoder
from yieldwire.errors import ErrorObject, Json
from yieldwire.log.chunks import text_of
from yieldwire.log.events import Event, one_line

MOST_BYTES: Final = 4 * 1024 * 1024
"""The most bytes of output in one result: the client and its model read all of it."""
RETRY_MS: Final = 2000
"""When a client comes back: its SDK tries twice, and a restart of the server can take seconds."""
_RUNS: Final = "yieldwire://runs/"
_RUN_KEY: Final = "yieldwire/run"


def uri_of(run_id: str) -> str:
    """Return the URI of a run's log as a resource."""
    return _RUNS + run_id


def run_of(uri: str) -> str | None:
    """Return the id of the run whose log is at ``uri``, if it is such a URI."""
    return uri.removeprefix(_RUNS) if uri.startswith(_RUNS) else None


class MCPEncoder(DialectEncoder):
    """Encodes a run for one reader.

    Args:
        action: The run's action.
        place: What the request said. Its ``after`` is not used.
        is_stateless: Whether the client is of 2026. It does not resume, and gets a question as the
            end of the answer.
    """

    media_type: ClassVar[str] = "text/event-stream"

    def __init__(
        self,
        action: AnyAction,
        place: EventPlace,
        *,
        is_stateless: bool = False,
    ) -> None:
        self._action, self._place, self._is_stateless = action, place, is_stateless
        self.answered: Callable[[str, int], bool] | None = None
        """Says of a question's id and its event's seq whether the run has its answer."""
        self.is_primed: bool = not is_stateless
        """Whether the client can resume before anything was told: older ones read each event."""
        self._context: Final = place.context()
        self._counts: Final = tells_progress(action)
        self._progress = -inf
        """What was told last: it must increase."""
        self._output = ToolContent()
        self._run_id = place.run_id
        self.result: dict[str, Json] | None = None
        """The result of the tool, as soon as the run has ended."""

    def begin(self, run_id: str) -> Iterable[bytes]:
        """Return an event without data, from which a client can resume before any other."""
        self._run_id = run_id
        return [self._event(0, b"", b"retry: %d\n" % RETRY_MS)] if self.is_primed else ()

    def chunk(self, event: Event) -> Iterable[bytes]:
        """Return the progress, or the text as a message of it; keep what is output."""
        value = event.value
        if isinstance(value, dict) and value.get("type") == "progress":
            current, total, message = (value.get(n) for n in ("current", "total", "message"))
            return self._told(event.seq, current, total, message)
        text = text_of(event.data)
        self._output.add(event.seq, text, event.data)
        return () if self._counts or not text else self._told(event.seq, event.seq, None, text)

    def _told(self, seq: int, current: Json, total: Json, message: Json) -> Iterable[bytes]:
        is_number = isinstance(current, (int, float))
        if self._place.token is None or not is_number or current <= self._progress:
            return ()
        self._progress = current
        told = {"progressToken": self._place.token, "progress": current}
        told |= {} if total is None else {"total": total}
        told |= {} if message is None else {"message": message}
        return [self._message(seq, {"method": "notifications/progress", "params": told})]

    def done(self, event: Event) -> Iterable[bytes]:
        """Return the tool's result: the texts, the other chunks, and what was returned."""
        result = event.value.get("result")
        texts = self._output.texts(uri_of(self._run_id))
        told: dict[str, Json] = {}
        if result is not None:
            texts.append(result if isinstance(result, str) else to_json(result).decode())
            if (content := structured(self._action, result)) is not None:
                told["structuredContent"] = content
        return self._ended(event.seq, {**content_of(*texts), **told})

    def error(self, error: ErrorObject) -> Iterable[bytes]:
        """Return a result that is an error, so that the client's model reads it."""
        return self._ended(self._output.seq + 1, failed(error))

    def _ended(self, seq: int, result: dict[str, Json]) -> Iterable[bytes]:
        meta: dict[str, Json] = {_RUN_KEY: self._run_id}
        if self._place.is_task:
            meta[META + "related-task"] = {"taskId": self._run_id}
        self.result = {**result, "_meta": {**meta, **result.get("_meta", {})}}
        told = {"resultType": "complete", **self.result} if self._is_stateless else self.result
        return [self._message(seq, {"id": self._place.id, "result": told})]

    def question(self, event: Event) -> Iterable[bytes] | None:
        """Return the request to ask a person, if the client can."""
        if not self._place.asks_people:
            return None
        question, seq = event.value, event.seq
        if self.answered is not None and self.answered(question["id"], seq):
            return ()
        params = elicitation(question)
        asked: dict[str, Json] = {"method": "elicitation/create", "params": params}
        if not self._is_stateless:
            if self._place.is_task:
                params["_meta"] = {META + "related-task": {"taskId": self._run_id}}
            return [self._message(seq, {"id": f"{self._run_id}/{question['id']}", **asked})]
        self.is_paused = True
        told = {
            "resultType": "input_required",
            "inputRequests": {question["id"]: asked},
            "requestState": f"{self._run_id}.{seq - 1}",
        }
        return [self._message(seq, {"id": self._place.id, "result": told})]

    def restarted(self, keep: int) -> Iterable[bytes]:
        """Forget the output that no longer counts; the client was told none of it as a result."""
        self._output.keep(keep)
        return ()

    def _message(self, seq: int, message: dict[str, Json]) -> bytes:
        return self._event(seq, one_line(to_json({"jsonrpc": "2.0", **message})))

    def _event(self, seq: int, data: bytes, first: bytes = b"") -> bytes:
        if self._is_stateless:
            return b"event: message\ndata: %b\n\n" % data
        id_ = f"{self._run_id}.{seq}~{self._context}".encode()
        return b"%bevent: message\nid: %b\ndata: %b\n\n" % (first, id_, data)


class ToolContent:
    """The chunks of a run that belong to its tool's result, up to `MOST_BYTES`."""

    def __init__(self) -> None:
        self._kept: list[tuple[int, str | None, bytes]] = []
        self._size, self._is_cut = 0, False
        self.seq: int = 0
        """The newest chunk."""

    def add(self, seq: int, text: str | None, data: bytes) -> None:
        """Add a chunk: its text, if it has some, and its JSON."""
        self.seq = seq
        self._size += len(data)
        if self._size > MOST_BYTES:
            self._is_cut = True
        else:
            self._kept.append((seq, text, b"" if text is not None else data))

    def keep(self, seq: int) -> None:
        """Forget the chunks after ``seq``."""
        self._kept = [each for each in self._kept if each[0] <= seq]

    def texts(self, uri: str) -> list[str]:
        """Return the text, and the other chunks as lines of JSON; all of it is at ``uri``."""
        text = "".join(text for _, text, _ in self._kept if text)
        lines = b"\n".join(data for _, text, data in self._kept if text is None).decode()
        more = f"The output is longer; the rest is in the resource {uri}." if self._is_cut else ""
        return [part for part in (text, lines, more) if part]


def content_of(*texts: str) -> dict[str, Json]:
    """Return a tool's result of texts."""
    return {"content": [{"type": "text", "text": text} for text in texts]}


def failed(error: ErrorObject) -> dict[str, Json]:
    """Return a tool's result that is an error: what went wrong, and with which argument."""
    fields = [
        f"{name}: {message}"
        for name, messages in (error.field_errors or {}).items()
        for message in messages
    ]
    known = f" (error id {error.error_id})" if error.error_id else ""
    text = "\n".join([error.message + known, *fields])
    told = {"code": error.code, "retryable": error.retryable, "data": error.data}
    meta = {"yieldwire/error": {name: part for name, part in told.items() if part is not None}}
    return {**content_of(text), "isError": True, "_meta": meta}


def tells_progress(action: AnyAction) -> bool:
    """Whether an action can yield `Progress`: then its texts are not told as progress."""
    chunk = action.signature.chunk
    return chunk is not None and b'"const":"progress"' in to_json(chunk.json_schema)


def is_answered(
    ids: Collection[str], seen: int, still: Callable[[str], object]
) -> Callable[[str, int], bool]:
    """Return what says whether a question has its answer: it is one of ``ids``, or is closed."""
    return lambda id_, at: id_ in ids or (at <= seen and still(id_) is None)
