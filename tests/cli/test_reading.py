"""One run as it is now: its record, and its log."""

from collections.abc import AsyncIterator

import pytest
from pydantic_core import from_json

from tests.conftest import Serve
from yieldwire import Actions, Progress
from yieldwire.cli import main
from yieldwire.client import Client

actions = Actions(identify=lambda _: "ada")


@actions.action
async def count(to: int) -> AsyncIterator[Progress]:
    for n in range(1, to + 1):
        yield Progress(n, total=to)


@pytest.fixture
def target(serve: Serve) -> tuple[str, str]:
    """A URL, and a run that has ended there."""
    url = serve(actions).url
    with Client(url) as client:
        run = client.start("count", {"to": 2})
        run.result()
        return url, run.id


def printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *command: str
) -> list[str]:
    monkeypatch.setattr("sys.argv", ["yieldwire", *command])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    return capsys.readouterr().out.splitlines()


def test_a_run_is_shown_with_its_input(
    target: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = printed(monkeypatch, capsys, "show", *target)

    assert lines[:3] == [f"run       {target[1]}", "action    count", "status    completed"]
    assert lines[-4:] == ["input     {", '            "to": 2', "          }", "result    null"]

    (told,) = printed(monkeypatch, capsys, "show", *target, "--json")
    assert (from_json(told)["input"], from_json(told)["status"]) == ({"to": 2}, "completed")


def test_a_log_is_printed_with_its_times(
    target: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = [from_json(line) for line in printed(monkeypatch, capsys, "logs", *target, "--json")]
    lines = printed(monkeypatch, capsys, "logs", *target)

    assert [(each["seq"], each["type"]) for each in told] == [
        (1, "chunk"),
        (2, "chunk"),
        (3, "done"),
    ]
    assert all(each["atMs"] > 0 for each in told)
    assert [line.split()[1:3] for line in lines] == [["1", "chunk"], ["2", "chunk"], ["3", "done"]]
