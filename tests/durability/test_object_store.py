"""Files reach a worker through a real object store, whichever way they come, and leave nothing."""

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
from asyncio.subprocess import PIPE, create_subprocess_exec
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx2
import pytest
from pydantic_core import from_json
from starlette.types import Message, Receive, Scope, Send

from tests.conftest import Serve
from tests.durability.node import NODE
from tests.support.objectstore import prefix_url, s3_environment
from tests.support.server import ROOT
from tests.support.uploading import application
from tests.support.valkey import shared_url
from yieldwire import Actions
from yieldwire.client import AsyncClient

SOON: Final = 60.0
"""Seconds within which what must happen has happened, on the slowest machine."""
CONTENT: Final = os.urandom(300_000) * 4
RESULT: Final = {"size": len(CONTENT), "sha256": hashlib.sha256(CONTENT).hexdigest()}
CLIENT: Final = ROOT / "src/yieldwire/asgi/static/client.js"
ESBUILD: Final = ROOT / "typescript/node_modules/.bin/esbuild"


@dataclass
class World:
    """An application with a worker in another process, and an object store."""

    actions: Actions
    worker: "subprocess.Popen[bytes]"
    url: str = ""
    received: int = 0
    """Bytes that the web server received."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def counted() -> Message:
            message = await receive()
            self.received += len(message.get("body", b""))
            return message

        await self.actions(scope, counted, send)

    async def check(self, result: dict[str, Any]) -> None:
        """Check what the action said, and that its file is deleted."""
        assert {"size": result["size"], "sha256": result["sha256"]} == RESULT
        assert result["worker"] == self.worker.pid
        async with asyncio.timeout(SOON):
            while await asyncio.to_thread(self.actions.app.files.blobs.names):  # noqa: ASYNC110
                await asyncio.sleep(0.01)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    where = {"STORE": shared_url(), "PREFIX": f"test-{uuid4().hex}", "FILES": prefix_url()}
    command = [sys.executable, "-m", "yieldwire.cli", "worker", "tests/support/uploading.py"]
    log = tmp_path_factory.mktemp("worker") / "log"
    with log.open("wb") as written:
        worker = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **s3_environment(), **where},
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=written,
        )
    actions = application(where["STORE"], where["PREFIX"], where["FILES"])
    try:
        yield World(actions, worker)
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()


@pytest.fixture
def served(world: World, serve: Serve) -> World:
    server = serve(world, actions=world.actions)
    world.url, world.received = server.url, 0
    return world


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.bin"
    path.write_bytes(CONTENT)
    return path


async def test_a_form_is_sent_through_the_server(served: World, path: Path) -> None:
    headers = {"Accept": "text/html", "Origin": served.url}
    async with httpx2.AsyncClient(base_url=served.url, headers=headers) as browser:
        with path.open("rb") as file:
            answer = await browser.post("/measure", files={"file": file})
        run_id = answer.headers["run-id"]

    assert answer.status_code == 303
    async with AsyncClient(served.url) as client:
        await served.check(await client.attach(run_id).result())
    assert served.received > len(CONTENT)


async def test_the_python_client_writes_to_the_object_store(served: World, path: Path) -> None:
    async with AsyncClient(served.url, direct_from=0) as client:
        result = await client.call("measure", {"file": path})

    await served.check(result)
    assert served.received < 2000


async def test_the_typescript_client_writes_to_the_object_store(
    served: World, path: Path, tmp_path: Path
) -> None:
    direct = tmp_path / "direct.mjs"
    source = ROOT / "typescript/src/direct.ts"
    options = ["--bundle", "--format=esm", f"--outfile={direct}", "--log-level=error"]
    built = await create_subprocess_exec(ESBUILD, source, *options)
    assert await built.wait() == 0
    script = Path(__file__).with_name("upload.mjs")

    process = await create_subprocess_exec(
        NODE, script, CLIENT, direct, served.url, path, stdout=PIPE
    )
    told, _ = await process.communicate()

    await served.check(from_json(told))
    assert served.received < 2000
