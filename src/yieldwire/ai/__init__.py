"""What language models produce, as chunks; and adapters that make them of an SDK's stream.

Each adapter is a module of its own, which needs its SDK: `openai`, `anthropic`, `claude_agent` and
`pydantic_ai`. It yields the chunks of one answer in order, closes the request to the model when it
is left, and raises `ModelFailed` if the answer breaks off, so that a part never looks like a whole.
"""

from yieldwire.ai.approval import Approval, approve
from yieldwire.ai.chunks import (
    Chunk,
    Custom,
    Data,
    Finish,
    FinishReason,
    MessageMetadata,
    ModelFile,
    Reasoning,
    SourceDocument,
    SourceURL,
    StepEnd,
    StepStart,
    ToolCall,
    ToolError,
    ToolInput,
    ToolOutput,
    Usage,
)
from yieldwire.ai.failure import ModelFailed
from yieldwire.ai.uimessage import UIMessage

__all__ = [
    "Approval",
    "Chunk",
    "Custom",
    "Data",
    "Finish",
    "FinishReason",
    "MessageMetadata",
    "ModelFailed",
    "ModelFile",
    "Reasoning",
    "SourceDocument",
    "SourceURL",
    "StepEnd",
    "StepStart",
    "ToolCall",
    "ToolError",
    "ToolInput",
    "ToolOutput",
    "UIMessage",
    "Usage",
    "approve",
]
