"""What the manifest tells callers of an action."""

from collections.abc import AsyncIterator
from typing import Any

from yieldwire.actions.action import Action, Options
from yieldwire.actions.upload import Upload
from yieldwire.describe.manifest import description_of, manifest
from yieldwire.log.chunks import Progress


async def import_contacts(file: Upload, dry_run: bool = False) -> AsyncIterator[Progress]:  # noqa: FBT001, FBT002 - a field of the input
    """Import contacts.

    One row at a time,
      in order.
    """
    yield Progress(1)


async def answer(number: int, *, times: int = 1) -> int:
    return number * times


def test_the_manifest_tells_callers_what_they_can_know() -> None:
    described = description_of(Action(import_contacts, Options(linger=None, timeout=5.0)))

    properties = described.pop("input")["properties"]
    assert properties["file"]["format"] == "binary"
    assert list(properties) == ["file", "dry_run"]
    assert described.pop("chunk")["title"] == "Progress"
    assert described.pop("result") == {"type": "null"}
    assert described == {
        "errors": [],
        "asks": {},
        "inbox": None,
        "name": "import_contacts",
        "alias": "importContacts",
        "doc": "Import contacts.\n\nOne row at a time,\nin order.",
        "method": "POST",
        "streams": True,
        "linger": None,
        "timeout": 5.0,
        "shared": False,
    }


def test_an_action_with_one_answer_has_no_chunks() -> None:
    described = description_of(Action(answer, Options()))

    assert (described["streams"], described["chunk"]) == (False, None)
    assert described["result"] == {"type": "integer"}


def test_the_actions_are_in_their_order() -> None:
    first: Action[..., Any, Any] = Action(import_contacts, Options())
    second: Action[..., Any, Any] = Action(answer, Options())

    assert [each["name"] for each in manifest([first, second])["actions"]] == [
        "import_contacts",
        "answer",
    ]


def test_callers_are_told_what_an_action_asks_and_takes() -> None:
    action: Action[..., Any, Any] = Action(answer, Options(asks=(bool, Progress), inbox=int))

    described = description_of(action)

    assert list(described["asks"]) == ["bool", "Progress"]
    assert described["asks"]["bool"] == described["asks"]["bool"] | {"type": "boolean"}
    assert described["inbox"] == {"type": "integer"}
