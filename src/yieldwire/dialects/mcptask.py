"""Tasks of the Model Context Protocol: runs that continue without the client that started them."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Final, TypeAlias

from yieldwire.dialects.call import ForeignCall
from yieldwire.dialects.declining import refusal_of
from yieldwire.dialects.mcpstream import MCPEncoder, is_answered
from yieldwire.dialects.mcptool import elicitation, value_of
from yieldwire.dialects.mcpwire import INVALID_PARAMS, AgentMessage, EventPlace, RPCFault
from yieldwire.dialects.translation import Translation
from yieldwire.errors import AlreadyAnswered, Json, NotFound, ValidationFailed
from yieldwire.log.cursor import Cursor
from yieldwire.log.run import RunRecord

LABEL: Final = "mcp:task"
"""The label of runs that are tasks."""
_PAGE: Final = 50
_POLL_MS: Final = 1000


class MCPTasks:
    """A request about tasks, of either generation of clients.

    Those of 2025 wait for a task's result in a stream, in which a question is asked. Those of 2026
    poll, and find the result and open questions in the answer.
    """

    def __init__(self, call: ForeignCall, asked: AgentMessage) -> None:
        self._call, self._asked = call, asked
        self._is_stateless: Final = asked.is_stateless

    async def created(self, run: RunRecord) -> None:
        """Answer with the task that a call has become."""
        task = await self._task(run)
        await self._reply({"resultType": "task", **task} if self._is_stateless else {"task": task})

    async def get(self) -> None:
        """Answer with a task's state."""
        run = await self._run()
        task = await self._task(run)
        if self._is_stateless and task["status"] == "completed":
            encoder = self._encoder(run)
            translation = Translation(encoder)
            translation.opening(Cursor(run.id, 0), b"")
            async for block in self._call.log(run):
                translation.encode(block)
            task["result"] = {"resultType": "complete", **(encoder.result or {})}
        elif self._is_stateless and task["status"] == "input_required":
            questions = (await self._call.questions(run)).listed()
            asked = {one["id"]: elicitation(one) for one in questions}
            task["inputRequests"] = {
                id_: {"method": "elicitation/create", "params": params}
                for id_, params in asked.items()
            }
        await self._reply(task)

    async def list(self) -> None:
        """Answer with the caller's tasks, or those of the session of an anonymous caller."""
        cursor = self._asked.params.get("cursor")
        before = cursor if isinstance(cursor, str) else None
        is_known, session = self._call.caller.owner is not None, self._asked.session
        label = LABEL if is_known else self._asked.label(None)
        # Without a name or a session, nothing tells one caller from another.
        runs: Sequence[RunRecord] = ()
        if is_known or session:
            runs = await self._call.runs(label, before=before, limit=_PAGE)
        more = {"nextCursor": runs[-1].id} if len(runs) == _PAGE else {}
        await self._reply({"tasks": [await self._task(run) for run in runs], **more})

    async def stream(self) -> None:
        """Answer with the task's result, as soon as there is one."""
        run = await self._run()
        questions = await self._call.questions(run)
        encoder = self._encoder(run)
        encoder.answered = is_answered((), run.seq, questions.find)
        await self._call.stream(run, encoder, after=0)

    async def cancel(self) -> None:
        """Cancel a task.

        Raises:
            RPCFault: If it has ended, for a client of 2025.
        """
        run = await self._run()
        if not run.status.is_terminal:
            run = await self._call.cancel(run.id)
        elif not self._is_stateless:
            raise RPCFault(INVALID_PARAMS, "The task has ended.")
        await self._reply({} if self._is_stateless else await self._task(run))

    async def update(self) -> None:
        """Take answers to the task's questions.

        Raises:
            ValidationFailed: If one is not of the question's type; the question stays open.
        """
        run = await self._run()
        await answer_questions(self._call, run, self._asked.object("inputResponses"))
        await self._reply({})

    async def _run(self) -> RunRecord:
        run = await self._call.run(self._asked.text("taskId"))
        if LABEL not in run.labels:
            raise NotFound("There is no such task.")
        return run

    async def _reply(self, result: dict[str, Json]) -> None:
        await self._call.reply(self._asked.answered(result))

    def _encoder(self, run: RunRecord) -> MCPEncoder:
        asked = self._asked
        place = EventPlace(
            run_id=run.id,
            id=asked.id,
            token=asked.token,
            is_task=not self._is_stateless,
            asks_people=asked.asks_people and not self._is_stateless,
        )
        action = self._call.action(run.action)
        return MCPEncoder(action, place, is_stateless=self._is_stateless)

    async def _task(self, run: RunRecord) -> dict[str, Json]:
        now = await self._call.snapshot(run)
        status = now["status"]
        if status in {"pending", "running"}:
            status = "input_required" if now["questions"] else "working"
            if now["cancelRequested"]:
                status = "cancelled"
        elif status == "failed" and self._is_stateless:
            status = "completed"  # with a result that is an error
        message = _message_of(now)
        ttl, poll = ("ttlMs", "pollIntervalMs") if self._is_stateless else ("ttl", "pollInterval")
        return {
            "taskId": run.id,
            "status": status,
            **({"statusMessage": message} if message else {}),
            "createdAt": now["createdAt"],
            "lastUpdatedAt": now["endedAt"] or now["startedAt"] or now["createdAt"],
            ttl: None,  # how long it lasts is not known, and it is kept from its end
            poll: _POLL_MS,
        }


_Method: TypeAlias = Callable[[MCPTasks], Awaitable[None]]

_BOTH: Final[Mapping[str, _Method]] = {"tasks/get": MCPTasks.get, "tasks/cancel": MCPTasks.cancel}
_HANDSHAKE: Final[Mapping[str, _Method]] = {
    **_BOTH,
    "tasks/list": MCPTasks.list,
    "tasks/result": MCPTasks.stream,
}
_STATELESS: Final[Mapping[str, _Method]] = {**_BOTH, "tasks/update": MCPTasks.update}


def task_method(asked: AgentMessage) -> _Method | None:
    """Return what answers a request about tasks, if it is one."""
    return (_STATELESS if asked.is_stateless else _HANDSHAKE).get(asked.method)


def _message_of(snapshot: Mapping[str, Json]) -> str:
    """Return what a run's state is in words: its error, its question or its progress."""
    if snapshot["error"]:
        return str(snapshot["error"]["message"])
    if snapshot["questions"]:
        return str(snapshot["questions"][0].get("prompt", ""))
    progress = snapshot["progress"] or {}
    percent = progress.get("percent")
    parts = ["" if percent is None else f"{percent:g} %", progress.get("message") or ""]
    return " ".join(filter(None, parts))


async def answer_questions(
    call: ForeignCall, run: RunRecord, responses: Mapping[str, Json]
) -> Collection[str]:
    """Answer a run's questions, and return the ids of those that the client has answered.

    A person who declines answers no, if the question can be answered so; else the run is cancelled.

    Raises:
        ValidationFailed: If an answer is not of the question's type.
    """
    questions = await call.questions(run)
    ids = [id_ for id_ in responses if questions.name_of(id_) is not None]
    for id_ in ids:
        if (question := questions.find(id_)) is None:
            continue
        told = responses[id_] if isinstance(responses[id_], dict) else {}
        is_accepted = told.get("action") == "accept"
        value = value_of(question, told.get("content")) if is_accepted else refusal_of(question)
        if value is None and not is_accepted:
            await call.cancel(run.id)
            break
        with suppress(AlreadyAnswered):  # by somebody else
            await call.answer(run.id, id_, value)
    return ids


async def handle_answer(call: ForeignCall, asked: AgentMessage) -> None:
    """Take a client's response to a question in its stream.

    A run whose answer cannot be read is cancelled, so that nobody waits for another one.
    """
    run_id, slash, question = str(asked.id).partition("/")
    if not slash:
        return
    run = await call.run(run_id)
    try:
        await answer_questions(call, run, {question: asked.params})
    except ValidationFailed:
        await call.cancel(run.id)
        raise
