"""The TypeScript client as one more reader: the built file, in a Node process of its own."""

import shutil
from asyncio.subprocess import PIPE, create_subprocess_exec
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

NODE: Final = shutil.which("node") or "node"
SCRIPT: Final = Path(__file__).with_name("follow.mjs")


@dataclass(frozen=True, kw_only=True)
class Followed:
    """What the client has of one run when that has ended."""

    id: str
    events: list[tuple[int, str, Any]]
    chunks: list[Any]
    """Those that no restart has taken back."""
    bars: list[tuple[int, int]]
    """Each progress that it showed: after how many restarts, and how far."""


_LINE: Final = TypeAdapter(Followed)


async def follow_in_node(url: str, *ids: str) -> dict[str, Followed]:
    """Follow runs until all have ended, whatever happens to their server meanwhile."""
    process = await create_subprocess_exec(NODE, SCRIPT, url, *ids, stdout=PIPE)
    try:
        told, _ = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    assert process.returncode == 0, "the client has failed"
    found = [_LINE.validate_json(line) for line in told.splitlines()]
    return {run.id: run for run in found}
