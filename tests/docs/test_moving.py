"""The guides to moving from something else: the action in each does what the old code did."""

import asyncio

import pytest

from tests.docs.conftest import Load
from tests.support.runs import SOON
from yieldwire import Actions

MOVED = [
    ("hand-written-sse", "import_rows", {"rows": 3}, ["1/3", "2/3", "3/3"], None),
    ("fastapi-sse", "write_report", {"year": 2026}, [f"{n}/12" for n in range(1, 13)], 24),
    ("celery-and-polling", "import_contacts", {"rows": ["a", "b"]}, ["1/2", "2/2"], 2),
    ("socket-io", "import_rows", {"rows": 2}, ["1/2", "2/2"], None),
    ("trigger-dev", "publish", {"draft": "Hello"}, ["1/2", "2/2"], True),
    ("temporal", "check_out", {"order": "7"}, ["0/2", "1/2", "2/2"], "invoice for 7"),
]


@pytest.mark.parametrize(("source", "action", "given", "progress", "result"), MOVED)
async def test_the_action_reports_and_ends_as_the_old_code_did(
    load: Load,
    source: str,
    action: str,
    given: dict[str, object],
    progress: list[str],
    result: object,
) -> None:
    files = load(f"move-from-{source}.md")
    [module] = [each for each in files.values() if hasattr(each, "actions")]
    actions: Actions = module.actions
    actions.app.working.take_from(None)

    async with actions.lifespan(), asyncio.timeout(SOON):
        run = await actions.start(actions.app.registry.action_named(action), given)
        seen: list[str] = []
        async for event in run.events():
            if event.type == "question":
                answer = {"approved": True} if source == "trigger-dev" else True
                await run.answer(event.value["id"], answer)
            elif event.type == "chunk":
                seen.append(f"{event.value['current']}/{event.value['total']}")

        assert seen == progress
        assert await run.result() == result
