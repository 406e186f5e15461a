from typing import Any

import pytest
from pydantic import ValidationError

from yieldwire.ai import UIMessage
from yieldwire.ai.uimessage import UIData, UIFile, UIOther, UIReasoning, UIText, UITool

SENT: dict[str, Any] = {
    "id": "m1",
    "role": "assistant",
    "metadata": {"model": "local"},
    "parts": [
        {"type": "step-start"},
        {"type": "text", "text": "It ", "state": "done"},
        {"type": "reasoning", "text": "Hm."},
        {"type": "file", "mediaType": "text/plain", "url": "data:,a", "filename": "a.txt"},
        {
            "type": "tool-weather",
            "toolCallId": "c1",
            "state": "approval-responded",
            "input": {"city": "Ely"},
            "approval": {"id": "c1", "approved": True},
        },
        {
            "type": "dynamic-tool",
            "toolName": "clock",
            "toolCallId": "c2",
            "state": "input-streaming",
        },
        {"type": "data-plan", "id": "p", "data": [1]},
        {"type": "text", "text": "rains."},
    ],
}


def test_a_message_has_typed_parts_and_its_text() -> None:
    message = UIMessage.model_validate(SENT)

    assert [type(part) for part in message.parts] == [
        UIOther,
        UIText,
        UIReasoning,
        UIFile,
        UITool,
        UITool,
        UIData,
        UIText,
    ]
    assert (message.text, message.metadata) == ("It rains.", {"model": "local"})
    assert [tool.name for tool in message.tools] == ["weather", "clock"]


def test_the_approval_of_a_tool_is_typed() -> None:
    tool, _ = UIMessage.model_validate(SENT).tools

    assert tool.approval is not None
    assert (tool.approval.approved, tool.tool_call_id, tool.input) == (True, "c1", {"city": "Ely"})


def test_a_message_is_written_and_read_back() -> None:
    message = UIMessage.model_validate(SENT)

    assert UIMessage.model_validate(message.model_dump(by_alias=True)) == message
    assert UIMessage(role="user", parts=[UIText(text="a")]).text == "a"


@pytest.mark.parametrize(
    "change",
    [
        {"role": "tool"},
        {"parts": [{"type": "text"}]},
        {"parts": [{"text": "a"}]},
        {"parts": ["a"]},
        {"parts": [{"type": "tool-x", "toolCallId": "c"}]},
    ],
)
def test_a_malformed_message_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="1 validation error"):
        UIMessage.model_validate(SENT | change)
