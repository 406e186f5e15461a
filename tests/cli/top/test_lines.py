from pydantic_core import to_json

from yieldwire.cli.top.lines import LONGEST, MOST, LogLines
from yieldwire.errors import Json
from yieldwire.log.events import Event, EventType


def lines(*events: tuple[str, Json]) -> list[str]:
    made = LogLines()
    for seq, (kind, value) in enumerate(events, 1):
        made.take(Event(seq, EventType(kind), to_json(value)))
        assert made.seq == seq
    return list(made.newest())


def test_texts_are_one_text_in_its_own_lines() -> None:
    texts = [("chunk", {"type": "text", "text": text}) for text in ("One ", "line.\nAn", "other")]

    assert lines(*texts) == ["One line.", "Another"]
    assert lines(*texts, ("chunk", {"n": 1}), texts[0]) == [
        "One line.",
        "Another",
        '{"n":1}',
        "One ",
    ]


def test_a_progress_is_not_a_line_because_the_list_has_it() -> None:
    assert lines(("chunk", {"type": "progress", "current": 1})) == []


def test_each_other_event_is_told_in_words() -> None:
    told = lines(
        ("chunk", {"type": "tool-call", "id": "c", "name": "weather", "input": {"city": "Ely"}}),
        ("chunk", {"type": "step-start"}),
        ("question", {"id": "1", "prompt": "Sure?", "detail": {"n": 1}}),
        ("answer", {"id": "1", "value": True, "by": "ada"}),
        ("restarted", {"attempt": 2}),
        ("restarted", "odd"),
        ("done", {"result": {"n": 1}}),
        ("done", {"result": "whole\ntext"}),
        ("done", {}),
        ("error", {"code": "NO_STOCK", "message": "Sold out."}),
    )

    assert told == [
        'Calls weather {"city":"Ely"}',
        "Question 1: Sure?",
        "  {",
        '    "n": 1',
        "  }",
        "Question 1 was answered by ada: true",
        "Attempt 2 starts.",
        "Attempt  starts.",
        '{"n":1}',
        "whole",
        "text",
        "NO_STOCK: Sold out.",
    ]


def test_only_so_much_is_kept() -> None:
    long = lines(("chunk", "x" * 9 * LONGEST), ("chunk", {"n": "y" * 9 * LONGEST}))
    many = lines(*[("chunk", "line\n")] * 2 * MOST)

    assert [len(line) for line in long] == [LONGEST, LONGEST]
    assert len(many) == MOST
