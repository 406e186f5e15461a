"""A list that stays current, over connections that are lost."""

from contextlib import aclosing

import pytest
from pydantic_core import to_json

from tests.client.script import SILENT, UNREACHABLE, Answer, json, refusal, serve
from yieldwire.client import AsyncClient
from yieldwire.errors import Json, Unauthorized, Unreachable

Entry = dict[str, Json]


def entry(run_id: str, seq: int = 1, status: str = "running") -> Entry:
    return {
        "id": run_id,
        "action": "count",
        "parent": None,
        "status": status,
        "labels": [],
        "attempt": 1,
        "seq": seq,
        "createdAt": "2025-06-15T12:00:00.000+00:00",
        "startedAt": None,
        "endedAt": None,
    }


def lines(*told: list[Entry], hangs: bool = False) -> Answer:
    pieces = [" ", *(to_json({"runs": runs}).decode() + "\n" for runs in told)]
    return Answer(
        headers={"content-type": "application/x-ndjson"},
        pieces=[piece for whole in pieces for piece in (whole[:7], whole[7:]) if piece],
        hangs=hangs,
    )


async def first(client: AsyncClient, count: int) -> list[Entry]:
    async with aclosing(client.watch(action="count", status="running")) as watching:
        return [await anext(watching) for _ in range(count)]


async def test_what_there_is_comes_first_and_then_what_changes() -> None:
    told = lines([entry("r2"), entry("r1")], [entry("r2", 5)], hangs=True)
    async with serve(told) as (client, server):
        runs = await first(client, 3)

    assert runs == [entry("r2"), entry("r1"), entry("r2", 5)]
    assert server.requests[0].path == "runs?status=running&action=count&watch=1"


async def test_a_list_that_is_lost_continues_without_telling_anything_twice() -> None:
    again = lines([entry("r2", 5), entry("r1")], [entry("r1", 9)], hangs=True)
    async with serve(lines([entry("r2"), entry("r1")]), UNREACHABLE, again) as (client, server):
        runs = await first(client, 4)

    assert runs == [entry("r2"), entry("r1"), entry("r2", 5), entry("r1", 9)]
    assert len(server.waits) == 2


async def test_a_list_that_is_refused_raises() -> None:
    async with serve(refusal(401, "UNAUTHORIZED")) as (client, _):
        with pytest.raises(Unauthorized, match="No"):
            await first(client, 1)


async def test_a_list_that_is_held_back_is_polled_until_that_fails() -> None:
    answers = [
        SILENT,
        json({"runs": [entry("r1")], "next": None}),
        json({"runs": [entry("r2"), entry("r1", 5)], "next": None}),
        UNREACHABLE,
        lines([entry("r2", 2)], hangs=True),
    ]
    async with serve(*answers, quiet=0.05) as (client, server):
        runs = await first(client, 4)

    assert runs == [entry("r1"), entry("r2"), entry("r1", 5), entry("r2", 2)]
    asked = ["watch" in request.path for request in server.requests]
    assert asked == [True, False, False, False, True]


async def test_a_run_that_left_the_list_between_two_connections_is_told_once_more() -> None:
    answers = [
        lines([entry("r3"), entry("r2"), entry("r1")]),
        lines([entry("r3")], [entry("r3", 5)], hangs=True),
        refusal(404, "NOT_FOUND"),
        json({**entry("r1", 9, "completed"), "text": None, "result": 9}),
    ]
    async with serve(*answers) as (client, server):
        runs = await first(client, 5)

    told = [entry("r3"), entry("r2"), entry("r1"), entry("r1", 9, "completed"), entry("r3", 5)]
    assert runs == told
    assert [request.path for request in server.requests[2:]] == ["runs/r2", "runs/r1"]


async def test_a_run_that_leaves_a_list_that_is_polled_is_told_once_more() -> None:
    answers = [
        SILENT,
        json({"runs": [entry("r1")], "next": None}),
        json({"runs": [], "next": None}),
        json({**entry("r1", 9, "completed"), "text": None, "result": 9}),
    ]
    async with serve(*answers, quiet=0.05) as (client, _):
        runs = await first(client, 2)

    assert runs == [entry("r1"), entry("r1", 9, "completed")]


async def test_a_list_can_have_another_length_and_details() -> None:
    async with (
        serve(lines([entry("r1")], hangs=True)) as (client, server),
        aclosing(client.watch(limit=200, details=True)) as watching,
    ):
        await anext(watching)

    assert server.requests[0].path == "runs?limit=200&details=1&watch=1"


async def test_another_server_s_answer_is_a_lost_connection() -> None:
    page = Answer(headers={"content-type": "text/html"}, pieces=["<html>"])
    async with serve(*[page] * 10) as (client, _):
        with pytest.raises(Unreachable, match="Something else answered"):
            await first(client, 1)
