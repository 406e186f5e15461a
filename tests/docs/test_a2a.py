"""The guide to A2A: its agent uses its application."""

from types import ModuleType

import pytest

from tests.docs.conftest import Load
from tests.support.server import ThreadServer


@pytest.fixture
def files(load: Load) -> dict[str, ModuleType]:
    return load("use-from-a2a.md")


async def test_the_agent_of_the_guide_books_a_room(
    files: dict[str, ModuleType], capsys: pytest.CaptureFixture[str]
) -> None:
    with ThreadServer(files["app"].app) as server:
        await files["agent"].main(f"{server.url}/a2a/book")

    assert capsys.readouterr().out.splitlines() == [
        "TASK_STATE_WORKING 50 % looking for a room at the sea",
        "TASK_STATE_INPUT_REQUIRED Book the Seaview for 2 nights?",
        "The Seaview is booked.",
    ]
