"""A run as A2A tells it: a task with a status, whose artifacts grow.

A reader gets the task as it is, and then what changes: there is no place in a stream to resume
after. So an encoder knows the last event that is in the task already, and tells what follows it.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import groupby
from typing import ClassVar, Final

from yieldwire.dialects.translation import DialectEncoder
from yieldwire.errors import ErrorObject, Json
from yieldwire.log.chunks import text_of
from yieldwire.log.events import Event, one_line
from yieldwire.log.question import Questions
from yieldwire.log.run import RunRecord, Status
from yieldwire.log.snapshot import iso_time

MOST_BYTES: Final = 4 * 1024 * 1024
"""The most bytes of output in a task as a whole; a stream has all of it."""
CONTEXT: Final = "a2a:"
"""Before a client's context, in the label of its runs."""
SETTLED: Final = frozenset(
    f"TASK_STATE_{state}" for state in ("INPUT_REQUIRED", "COMPLETED", "FAILED", "CANCELED")
)
"""The states in which an answer ends."""


class A2AEncoder(DialectEncoder):
    """Encodes a run as a stream, for one reader.

    Args:
        run: The run, as it was read for this request: what is in its log so far is in the task.
        wrap: Returns a result as the client's binding has it.
        answered: The questions that this request has answered.
    """

    media_type: ClassVar[str] = "text/event-stream"

    def __init__(
        self, run: RunRecord, wrap: Callable[[Json], bytes], answered: Collection[str] = ()
    ) -> None:
        self._seen, self._wrap, self._answered = run.seq, wrap, answered
        self._ids: Final = {"taskId": run.id, "contextId": context_of(run)}
        self._parts: list[tuple[int, int, dict[str, Json]]] = []
        """Each part with its event's seq, and with the size of the output up to there."""
        self._size, self._result = 0, list[dict[str, Json]]()
        self._has_output = False
        self._cut = 0
        """The first event whose output was too much for the task."""
        self._questions = Questions()
        state = "SUBMITTED" if run.status is Status.PENDING else "WORKING"
        self._status: dict[str, Json] = {"state": f"TASK_STATE_{state}"}

    def task(self) -> dict[str, Json]:
        """Return the task as of the last event."""
        artifacts = [self._output()] if self._parts or self._cut else []
        if self._result:
            artifacts.append({"artifactId": "result", "parts": self._result})
        task_id, context = self._ids.values()
        return {"id": task_id, "contextId": context, "status": self._status, "artifacts": artifacts}

    def frame(self, result: Json) -> bytes:
        """Return a result as a frame."""
        return b"data: %b\n\n" % one_line(self._wrap(result))

    def chunk(self, event: Event) -> Iterable[bytes]:
        """Return a part of the output, or a status with the progress."""
        value, text = event.value, text_of(event.data)
        if isinstance(value, dict) and value.get("type") == "progress":
            return self._to("WORKING", event, _words_of(value), progress=value)
        part: dict[str, Json] = {"data": value} if text is None else {"text": text}
        is_more, self._has_output = self._has_output, True
        self._size += len(event.data)
        if self._size <= MOST_BYTES:
            self._parts.append((event.seq, self._size, part))
        else:
            self._cut = self._cut or event.seq
        return self._grown("output", [part], is_more=is_more)

    def done(self, event: Event) -> Iterable[bytes]:
        """Return the result as an artifact, and the end."""
        result = event.value.get("result")
        if result is not None:
            self._result = [{"text": result} if isinstance(result, str) else {"data": result}]
            yield from self._grown("result", self._result)
        yield from self._to("COMPLETED", event)

    def error(self, error: ErrorObject) -> Iterable[bytes]:
        """Return that the task has failed, and why."""
        return self._failed("FAILED", error)

    def cancelled(self, error: ErrorObject) -> Iterable[bytes]:
        """Return that the task was stopped, and why."""
        return self._failed("CANCELED", error)

    def question(self, event: Event) -> Iterable[bytes] | None:
        """Return that input is required: this is the end of an answer, but not of the task."""
        if event.seq <= self._seen and event.value["id"] in self._answered:
            return ()
        self._questions.take(event)
        self.is_paused: bool = event.seq > self._seen
        return self._asked(event)

    def answer(self, event: Event) -> Iterable[bytes]:
        """Return that the task continues, or what else it asks."""
        self._questions.take(event)
        return self._asked(event) if self._questions else self._to("WORKING", event)

    def restarted(self, keep: int) -> Iterable[bytes]:
        """Replace the output with what still counts of it."""
        self._parts = [each for each in self._parts if each[0] <= keep]
        if keep < self._cut:
            self._cut = 0
        if not self._cut:
            self._size = self._parts[-1][1] if self._parts else 0
        return self._told("artifactUpdate", {"artifact": self._output(), "append": False})

    def _output(self) -> dict[str, Json]:
        parts = joined(part for *_, part in self._parts) or [{"text": ""}]
        truncated = {"metadata": {"yieldwire/truncated": True}} if self._cut else {}
        return {"artifactId": "output", "parts": parts, **truncated}

    def _failed(self, state: str, error: ErrorObject) -> Iterable[bytes]:
        known = {"code": error.code, "data": error.data, "errorId": error.error_id}
        told = {name: value for name, value in known.items() if value is not None}
        return self._to(state, None, error.message, error=told)

    def _asked(self, event: Event) -> Iterable[bytes]:
        question = self._questions.listed()[0]
        return self._to("INPUT_REQUIRED", event, question.get("prompt", ""), question=question)

    def _to(
        self, state: str, event: Event | None, text: str = "", **metadata: Json
    ) -> Iterable[bytes]:
        at = iso_time(event.at or None) if event else None
        self._status = {"state": f"TASK_STATE_{state}", **({"timestamp": at} if at else {})}
        if text or metadata:
            self._status["message"] = {
                "messageId": f"{self._ids['taskId']}.{event.seq if event else 'end'}",
                "role": "ROLE_AGENT",
                "parts": [{"text": text}],
                "metadata": {f"yieldwire/{name}": value for name, value in metadata.items()},
                **self._ids,
            }
        return self._told("statusUpdate", {"status": self._status})

    def _grown(
        self, name: str, parts: list[dict[str, Json]], *, is_more: bool = False
    ) -> Iterable[bytes]:
        artifact = {"artifactId": name, "parts": parts}
        return self._told("artifactUpdate", {"artifact": artifact, "append": is_more})

    def _told(self, kind: str, update: dict[str, Json]) -> Iterable[bytes]:
        return [self.frame({kind: {**self._ids, **update}})]


class A2AWhole(A2AEncoder):
    """Encodes a run as one task, which is told as soon as it ends or requires input."""

    media_type: ClassVar[str] = "application/json"

    def frame(self, result: Json) -> bytes:
        """Return a result as the whole answer."""
        return one_line(self._wrap(result))

    def _told(self, kind: str, update: dict[str, Json]) -> Iterable[bytes]:
        is_end = kind == "statusUpdate" and self._status["state"] in SETTLED
        return [self.frame({"task": self.task()})] if is_end else ()

    def keepalive(self) -> bytes:
        """Return white space, which JSON can begin with."""
        return b" "


def context_of(run: RunRecord) -> str:
    """Return the context of a task: the client's own, or the task's id."""
    labels = (each for each in run.labels if each.startswith(CONTEXT))
    return next(labels, CONTEXT + run.id).removeprefix(CONTEXT)


def _words_of(progress: Mapping[str, Json]) -> str:
    percent, message = progress.get("percent"), progress.get("message")
    # An action can yield any JSON and call it progress.
    is_share = isinstance(percent, (int, float)) and 0 <= percent <= 100  # noqa: PLR2004
    parts = [f"{percent:g} %" if is_share else "", message if isinstance(message, str) else ""]
    return " ".join(filter(None, parts))


def joined(parts: Iterable[dict[str, Json]]) -> list[dict[str, Json]]:
    """Return parts with each sequence of texts as one."""
    told: list[dict[str, Json]] = []
    for is_text, group in groupby(parts, key=lambda part: "text" in part):
        some = list(group)
        told += [{"text": "".join(part["text"] for part in some)}] if is_text else some
    return told
