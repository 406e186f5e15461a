"""Asks a person whether a tool can be called."""

from dataclasses import dataclass
from typing import Final

from yieldwire.actions.context import Context
from yieldwire.ai.chunks import ToolCall
from yieldwire.errors import Json

TOOL_CALL: Final = "toolCall"
"""The member of a question's detail that has the id, the name and the input of the call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """The answer to the question whether a tool can be called."""

    approved: bool
    reason: str | None = None


async def approve(
    ctx: Context, call: ToolCall, prompt: str = "", *, timeout: float | None = None
) -> Approval:
    """Ask the run's readers whether the tool can be called, and return the answer.

    It is a question of the run, with the id of the call: every reader can answer it, and a later
    attempt finds the answer. Declare it with ``@actions.action(asks=Approval)``.

    Args:
        ctx: The run's context.
        call: The call, which was yielded before.
        prompt: For people; default: a question with the tool's name.
        timeout: Seconds to wait for the approval; ``None`` waits without a limit.

    Raises:
        UsageError: If the action does not declare the question.
    """
    detail: Json = {TOOL_CALL: {"id": call.id, "name": call.name, "input": call.input}}
    prompt = prompt or f"Call {call.name}?"
    if timeout is None:
        return await ctx.ask(Approval, prompt, id=call.id, detail=detail)
    late = Approval(approved=False, reason="Nobody answered in time.")
    return await ctx.ask(Approval, prompt, id=call.id, detail=detail, timeout=timeout, default=late)
