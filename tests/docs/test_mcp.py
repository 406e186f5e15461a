"""The guide to agents: its agent uses its application."""

import pytest

from tests.docs.conftest import Load
from tests.support.server import ThreadServer


async def test_the_agent_of_the_guide_cleans_up(
    load: Load, capsys: pytest.CaptureFixture[str]
) -> None:
    files = load("use-from-mcp.md")

    with ThreadServer(files["app"].app) as server:
        await files["agent"].main(f"{server.url}/mcp/")

    assert capsys.readouterr().out.splitlines() == [
        "clean_up - Delete the old files of a folder.",
        "1/3 read part 1 of /tmp",
        "2/3 read part 2 of /tmp",
        "3/3 read part 3 of /tmp",
        "Delete 12 files in /tmp?",
        "{'value': '12 files deleted'}",
    ]
