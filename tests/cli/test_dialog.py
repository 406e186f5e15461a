from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, TypeAdapter

from yieldwire import Upload
from yieldwire.cli.dialog import Away, Dialog


class Inner(BaseModel):
    depth: int


class Decision(BaseModel):
    approved: Annotated[bool, Field(description="Whether it goes out.")]
    when: Literal["now", "tonight", "never"] = "now"
    copies: int = 1
    note: str = ""


class Typist:
    """A person who types lines that are known before."""

    def __init__(self, *lines: str) -> None:
        self._lines, self.seen = list(lines), list[str]()

    async def ask(self, prompt: str) -> str:
        self.seen.append(prompt)
        if not self._lines:
            raise Away
        return self._lines.pop(0)

    def tell(self, text: str) -> None:
        self.seen.append(text)

    def retract(self) -> None:
        raise AssertionError("a dialog does not retract")


async def filled(
    kind: Any,  # noqa: ANN401 - a type form
    lines: Sequence[str],
) -> tuple[object, Sequence[str]]:
    person = Typist(*lines)
    value = await Dialog(person, TypeAdapter[Any](kind).json_schema()).value()
    return value, person.seen


async def test_an_object_is_asked_for_field_by_field() -> None:
    value, seen = await filled(Decision, ["y", "tonight", "3", "Go ahead"])

    assert value == {"approved": True, "when": "tonight", "copies": 3, "note": "Go ahead"}
    assert seen == [
        "  Whether it goes out.",
        "approved [y/n]: ",
        "when [now/tonight/never, default now]: ",
        "copies [integer, default 1]: ",
        "note: ",
    ]


async def test_an_empty_line_leaves_a_field_to_its_default() -> None:
    value, _ = await filled(Decision, ["no", "", " ", ""])

    assert value == {"approved": False}


@pytest.mark.parametrize(
    ("kind", "line", "value"),
    [
        (bool, "Yes", True),
        (bool, "false", False),
        (int, " 7 ", 7),
        (float, "0.5", 0.5),
        (str, " as it is ", " as it is "),
        (str, "", ""),
        (str, "@file", "@file"),
        (int | None, "null", None),
        (Literal["red", "green"], "g", "green"),
        (Literal[1, 10], "1", 1),
        (Literal["a", "b"] | None, "b", "b"),
        (list[int], "[1, 2]", [1, 2]),
        (list[str], "one", ["one"]),
        (dict[str, int], '{"a": 1}', {"a": 1}),
        (Inner | bool, '{"depth": 2}', {"depth": 2}),
        (Upload, f" {__file__} ", Path(__file__)),
        (list[Upload], f"@{__file__}", [Path(__file__)]),
    ],
)
async def test_a_single_value_is_one_line(kind: object, line: str, value: object) -> None:
    assert (await filled(kind, [line]))[0] == value


async def test_a_nested_object_is_a_line_of_json() -> None:
    class Outer(BaseModel):
        inner: Inner

    value, seen = await filled(Outer, ['{"depth": 3}'])

    assert (value, seen) == ({"inner": {"depth": 3}}, ["inner [object, as JSON]: "])


@pytest.mark.parametrize(
    ("kind", "lines", "told"),
    [
        (bool, ["perhaps", "y"], "answer: 'perhaps' cannot be read as boolean."),
        (int, ["", "1"], "A value is needed. Ctrl-D leaves the question open."),
        (Literal["tea", "tonic"], ["t", "te"], "'t' is not one of tea, tonic."),
        (dict[str, int], ["{a}", "{}"], "answer: '{a}' cannot be read as object."),
        (Upload, ["/nowhere/a.jpg", __file__], "answer: there is no file /nowhere/a.jpg."),
    ],
)
async def test_a_line_that_cannot_be_read_is_asked_for_again(
    kind: object, lines: Sequence[str], told: str
) -> None:
    _, seen = await filled(kind, lines)

    assert seen[0] == seen[2]
    assert seen[1].startswith(told)


async def test_only_the_fields_that_were_refused_are_asked_for_again() -> None:
    person = Typist("y", "now", "-1", "", "2")
    dialog = Dialog(person, Decision.model_json_schema())
    await dialog.value()
    del person.seen[:]

    dialog.reject({"copies": ["Input should be greater than 0"]})
    value = await dialog.value()

    assert value == {"approved": True, "when": "now", "copies": 2}
    assert person.seen == [
        "  copies: Input should be greater than 0",
        "copies [integer, default 1]: ",
    ]


async def test_if_the_whole_was_refused_everything_is_asked_for_again() -> None:
    person = Typist("y", "", "", "", "n", "", "", "")
    dialog = Dialog(person, Decision.model_json_schema())
    await dialog.value()

    dialog.reject({"_root": ["Not both"]})

    assert await dialog.value() == {"approved": False}
    assert "  Not both" in person.seen


async def test_a_person_can_leave() -> None:
    with pytest.raises(Away):
        await filled(Decision, ["y"])
