"""One Node.js process with the TypeScript client, which lines of JSON tell what to do."""

import json
import shutil
import subprocess
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final, Self

from yieldwire.errors import Json

NODE: Final = shutil.which("node") or "node"
SCRIPT: Final = Path(__file__).with_name("node.mjs")
COMMAND: Final = [NODE, "--experimental-websocket", str(SCRIPT)]
"""Node.js 20 has a WebSocket only if asked."""


class NodeClients:
    """The clients of one process."""

    def __init__(self) -> None:
        self._waiting: dict[int, Future[dict[str, Json]]] = {}
        self._last_id = 0

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._thread = threading.Thread(target=self._listen, name="node", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._thread.join()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told = json.loads(line)
            future = self._waiting.pop(told["id"])
            if future.set_running_or_notify_cancel():  # somebody still waits for it
                future.set_result(told)
        for future in self._waiting.values():
            future.set_exception(EOFError("the Node.js process has ended"))

    def tell(self, verb: str, **rest: Any) -> "Future[dict[str, Json]]":  # noqa: ANN401 - JSON
        """Tell it to do something, and return what will come of it."""
        assert self._process.stdin is not None
        self._last_id = number = self._last_id + 1
        self._waiting[number] = told = Future[dict[str, Json]]()
        self._process.stdin.write(json.dumps({"id": number, "verb": verb, **rest}) + "\n")
        self._process.stdin.flush()
        return told
