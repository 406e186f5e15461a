"""A line stays a line in every reader that splits text its own way."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.support.calls import get, post, send
from tests.support.world import ALICE, NDJSON, SSE, WHOLE, opened, world
from yieldwire import ActionError, Actions, Result

TEXTS = ["a\u0085b", "a\u2028b", "a\u2029b", "a\0b", "\ufeffa", "\U0001f600\u2028\U0001f600"]
BREAKS = ("\u0085", "\u2028", "\u2029")


def site_of() -> Actions:
    actions = world()

    @actions.action
    async def speak() -> AsyncIterator[str | Result[list[str]]]:
        for text in TEXTS:
            yield text
        yield Result(TEXTS)

    @actions.action
    async def refuse() -> AsyncIterator[str]:
        yield "so far"
        raise ActionError("NO", TEXTS[1], data={TEXTS[2]: TEXTS[0]})

    return actions


@pytest.mark.parametrize("accept", [SSE, NDJSON, WHOLE])
@pytest.mark.parametrize("action", ["speak", "refuse"])
async def test_no_answer_has_a_character_that_a_reader_takes_for_a_line_break(
    action: str, accept: tuple[str, str]
) -> None:
    async with opened(site_of()) as site:
        answer = await send(site, post(f"/{action}", {}, [*ALICE, accept]))
        run_id = answer.headers["run-id"]
        snapshot = await send(site, get(f"/runs/{run_id}", ALICE))
        paged = await send(site, get(f"/runs/{run_id}?after={run_id}.0", ALICE))

    for each in (answer, snapshot, paged):
        text = each.body.decode()
        assert not any(character in text for character in BREAKS)


async def test_lines_are_read_whole_by_httpx_and_by_splitlines() -> None:
    async with opened(site_of()) as site:
        lines = await send(site, post("/speak", {}, [*ALICE, NDJSON]))
        frames = await send(site, post("/speak", {}, [*ALICE, SSE]))

    by_httpx = [line for line in httpx.Response(200, content=lines.body).iter_lines() if line]
    assert by_httpx == lines.body.decode().splitlines()
    assert [json.loads(line)["data"] for line in by_httpx[:-1]] == TEXTS
    by_sse = [
        json.loads(line.removeprefix("data: "))
        for line in httpx.Response(200, content=frames.body).iter_lines()
        if line.startswith("data: ")
    ]
    assert by_sse[1:-1] == TEXTS
    assert by_sse[-1] == {"result": TEXTS}
