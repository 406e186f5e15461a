"""The webhooks that were given up, on the command line."""

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import pytest

from yieldwire.cli import main
from yieldwire.log.delivery import Delivery
from yieldwire.stores.sqlite import SQLiteStore
from yieldwire.testing.contract.harness import finished

APP = """
from yieldwire import Actions

actions = Actions(store="sqlite:///{folder}/runs.db")
in_memory = Actions()
"""
URLS = ("https://a.example/hook?token=t", "https://b.example/hook")
Say: TypeAlias = Callable[..., tuple[int, str, str]]


async def give_up(folder: Path) -> list[str]:
    """Keep two runs whose webhooks were given up, and return the ids of these, newest first."""
    store = SQLiteStore(folder / "runs.db")
    for _ in range(2):
        await finished(store, webhooks=URLS)
        for delivery in await store.due(limit=2, lease=30.0):
            await store.settle(delivery, failure="HTTP 410")
    dead = await store.dead_letters(limit=10)
    await store.close()
    return list(dict.fromkeys(each.id for each in dead))


async def due_in(folder: Path) -> Sequence[Delivery]:
    store = SQLiteStore(folder / "runs.db")
    due = await store.due(limit=10, lease=30.0)
    await store.close()
    return due


@pytest.fixture
def ids(tmp_path: Path) -> list[str]:
    (tmp_path / "given_up.py").write_text(APP.format(folder=tmp_path))
    return asyncio.run(give_up(tmp_path))


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """Run the command in this process, with the application as its first argument."""

    monkeypatch.setattr(sys, "path", list(sys.path))

    def say(*arguments: str, app: str = "given_up.py") -> tuple[int, str, str]:
        command = ["yieldwire", "webhooks", app, *arguments]
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("sys.argv", command)
        with pytest.raises(SystemExit) as ended:
            main()
        sys.modules.pop("given_up", None)
        shown = capsys.readouterr()
        return int(ended.value.code or 0), shown.out, shown.err

    return say


def test_webhooks_that_were_given_up_are_listed_with_the_reason(ids: list[str], say: Say) -> None:
    code, out, err = say()

    rows = [line.split("\t") for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert [row[0] for row in rows] == [each for each in ids for _ in URLS]
    assert {(row[1], row[4], row[5]) for row in rows} == {("run.ended", "1", "HTTP 410")}
    assert {row[2] for row in rows} == {"https://a.example/…", "https://b.example/…"}


def test_json_has_the_whole_url(ids: list[str], say: Say) -> None:
    listed = json.loads(say("--json")[1])["webhooks"]

    assert {each["url"] for each in listed} == {*URLS}
    assert {(each["id"], each["runId"]) for each in listed} == {(id_, id_[:-2]) for id_ in ids}
    assert {(each["type"], each["tries"], each["failure"]) for each in listed} == {
        ("run.ended", 1, "HTTP 410")
    }


def test_one_can_be_sent_again(ids: list[str], say: Say, tmp_path: Path) -> None:
    code, out, err = say("--retry", ids[0])

    assert (code, out.count("\n")) == (0, 2)
    assert err == "2 due again; a running server sends them within 0.5 s.\n"
    assert {each.id for each in asyncio.run(due_in(tmp_path))} == {ids[0]}
    assert {line.split("\t")[0] for line in say()[1].splitlines()} == {ids[1]}


def test_all_can_be_sent_again(ids: list[str], say: Say, tmp_path: Path) -> None:
    assert say("--retry", "all")[0] == 0

    assert {each.id for each in asyncio.run(due_in(tmp_path))} == {*ids}
    assert say()[1] == ""
    assert say("--retry", "all")[2].startswith("0 due again")


@pytest.mark.usefixtures("ids")
def test_what_was_not_given_up_cannot_be_sent_again(say: Say) -> None:
    code, out, err = say("--retry", "r_1")

    assert (code, out) == (3, "")
    assert "No webhook with the id 'r_1' was given up." in err


@pytest.mark.usefixtures("ids")
@pytest.mark.parametrize(
    ("app", "why"),
    [
        ("given_up.py:in_memory", "keeps its runs in the memory of its own process"),
        ("http://127.0.0.1:9", "http://127.0.0.1:9 is a URL; name the application's file"),
    ],
)
def test_what_has_no_store_that_this_process_can_read_is_refused(
    say: Say, app: str, why: str
) -> None:
    code, _, err = say(app=app)

    assert (code, why in err) == (2, True), err
