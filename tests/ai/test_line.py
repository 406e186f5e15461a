import pytest
from pydantic_core import to_jsonable_python

from yieldwire.ai import (
    Finish,
    ModelFile,
    Reasoning,
    SourceDocument,
    SourceURL,
    StepStart,
    ToolCall,
    ToolError,
    ToolOutput,
    Usage,
)
from yieldwire.ai.line import line_of


@pytest.mark.parametrize(
    ("chunk", "line"),
    [
        (ToolCall("c", "weather", {"city": "Ely"}), 'Calls weather {"city":"Ely"}'),
        (ToolOutput("c", "rain"), 'Output: "rain"'),
        (ToolError("c", "No."), "The call failed: No."),
        (SourceURL("s", "https://a.example/"), "Source: https://a.example/"),
        (SourceDocument("d", "application/pdf", "A paper"), "Source: A paper"),
        (ModelFile("data:,a", "text/plain"), "File: text/plain, 7 characters"),
        (Usage(12, 3), "12 tokens in, 3 out"),
        (Finish("length"), "Ended: length"),
        (Finish("stop"), ""),
        (Reasoning("Hm."), ""),
        (StepStart(), ""),
    ],
)
def test_a_models_chunk_is_one_line_or_none(chunk: object, line: str) -> None:
    assert line_of(to_jsonable_python(chunk)) == line


@pytest.mark.parametrize("chunk", ["text", 1, {"type": 1}, {"type": "usage"}, {"type": "price"}])
def test_an_actions_own_chunk_has_no_line(chunk: object) -> None:
    assert line_of(chunk) is None
