"""What other people's readers of lines make of a stream, over a real socket.

Each of them has line breaks of its own: httpx and requests those of `str.splitlines`, Node's
readline those of its version, aiohttp and httpx-sse fewer.
"""

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import aiohttp
import httpx
import pytest
import requests
from httpx_sse import aconnect_sse, connect_sse
from pydantic import Field

from tests.conftest import Serve
from tests.support.world import BRISK, identify
from yieldwire import ActionError, Actions, Result, Text

SSE, NDJSON, JSON = "text/event-stream", "application/x-ndjson", "application/json"
BREAKS: Final = "\u0085\u2028\u2029"
"""What JSON allows in a string as it is, and some reader takes for a line break."""
TEXTS: Final = [
    *(f"a{character}b" for character in f"{BREAKS}\0\r\n\v\f\x1c\x1d\x1e\x7f"),
    "\r\n\r\n",
    f"{BREAKS}{BREAKS}",
    "\ufeffa",
    "a\ufeff",
    "\U0001f600\u2028\U0001f600",
    f"\U0010ffff{BREAKS[0]}" * 2000,  # many pieces of any size, cut inside of characters
    "\ndata: not a frame\n\nid: r.9\n\n",
]
SPECIAL: Final = f"a{BREAKS}b"
NODE: Final = shutil.which("node") or "node"
SCRIPT: Final = Path(__file__).with_name("lines.mjs")


def site_of() -> Actions:
    actions = Actions(identify=identify, timing=BRISK)

    @actions.action
    async def speak(
        kind: Annotated[Literal["x", "a\u2028b"], Field(description=SPECIAL)] = "a\u2028b",
    ) -> AsyncIterator[str | Text | dict[str, str] | Result[list[str]]]:
        """Say what breaks lines: \u0085 \u2028 \u2029."""
        for text in TEXTS:
            yield text
            yield Text(text)
        yield {kind + SPECIAL: SPECIAL}
        yield Result(TEXTS)

    @actions.action
    async def refuse(*, at_once: bool = False) -> AsyncIterator[str]:
        """Fail with everything."""
        if not at_once:
            yield SPECIAL
        raise ActionError("NO", TEXTS[1], data={SPECIAL: TEXTS}, status=402)

    return actions


CHUNKS: Final[list[Any]] = [
    *(each for text in TEXTS for each in (text, {"type": "text", "text": text})),
    {"a\u2028b" + SPECIAL: SPECIAL},
]


class Request:
    """What every reader sends."""

    def __init__(self, method: str, url: str, accept: str, body: object = None) -> None:
        self.method, self.url = method, url
        self.headers = {"Authorization": "Bearer alice", "Accept": accept}
        self.body = None if body is None else json.dumps(body)
        if body is not None:
            self.headers["Content-Type"] = JSON

    @property
    def for_httpx(self) -> dict[str, Any]:
        """The arguments of ``httpx.stream``."""
        return {
            "method": self.method,
            "url": self.url,
            "headers": self.headers,
            "content": self.body,
        }


def by_httpx(request: Request) -> list[str]:
    """Read by httpx."""
    with httpx.stream(**request.for_httpx) as answer:
        return list(answer.iter_lines())


def by_httpx_async(request: Request) -> list[str]:
    """Read by httpx's asynchronous client."""

    async def read() -> list[str]:
        async with httpx.AsyncClient() as client, client.stream(**request.for_httpx) as answer:
            return [line async for line in answer.aiter_lines()]

    return asyncio.run(read())


def by_aiohttp(request: Request) -> list[str]:
    """Read by aiohttp."""

    async def read() -> list[str]:
        async with (
            aiohttp.ClientSession(headers=request.headers) as client,
            client.request(request.method, request.url, data=request.body) as answer,
        ):
            return [line.decode().removesuffix("\n") async for line in answer.content]

    return asyncio.run(read())


def by_requests(request: Request) -> list[str]:
    """Read by requests, in pieces of 512 bytes."""
    with requests.request(
        request.method,
        request.url,
        headers=request.headers,
        data=request.body,
        stream=True,
        timeout=30,
    ) as answer:
        answer.encoding = "utf-8"  # of NDJSON it knows none, and would give bytes
        return [str(line) for line in answer.iter_lines(decode_unicode=True)]


def by_node(request: Request) -> list[str]:
    """Read by Node's readline."""
    arguments = [request.method, request.url, json.dumps(request.headers), request.body or ""]
    command = [NODE, str(SCRIPT), *arguments]
    done = subprocess.run(command, check=True, capture_output=True, timeout=30)
    return [json.loads(line) for line in done.stdout.split(b"\n")[:-1]]


Reader = Callable[[Request], list[str]]
READERS: Final[list[Reader]] = [by_httpx, by_httpx_async, by_aiohttp, by_requests, by_node]


@pytest.fixture(params=READERS, ids=[reader.__name__ for reader in READERS])
def read(request: pytest.FixtureRequest) -> Reader:
    reader: Reader = request.param
    return reader


@pytest.fixture
def base(serve: Serve) -> str:
    return serve(site_of()).url


def events_of(lines: list[str]) -> list[tuple[str, Any]]:
    """Return type and data of the frames, where every line is one that the format knows."""
    events: list[tuple[str, Any]] = []
    kind = "chunk"
    for line in lines:
        name, _, value = line.partition(": ")
        assert name in {"", "id", "event", "data"}
        if name == "event":
            kind = value
        elif name == "data":
            events.append((kind, json.loads(value)))
            kind = "chunk"
    return events


def test_a_stream_of_events_is_the_same_for_every_reader_of_lines(read: Reader, base: str) -> None:
    told = read(Request("POST", f"{base}/speak", SSE, {}))
    failed = read(Request("POST", f"{base}/refuse", SSE, {}))

    (opening, *events), (_, chunk, (end, error)) = events_of(told), events_of(failed)
    assert opening[0] == "run"
    assert events == [*(("chunk", each) for each in CHUNKS), ("done", {"result": TEXTS})]
    assert chunk == ("chunk", SPECIAL)
    assert (end, error["message"], error["data"]) == ("error", TEXTS[1], {SPECIAL: TEXTS})


def test_lines_of_json_are_the_same_for_every_reader_of_lines(read: Reader, base: str) -> None:
    told = read(Request("POST", f"{base}/speak", NDJSON, {}))
    failed = read(Request("POST", f"{base}/refuse", NDJSON, {}))

    events = [json.loads(line) for line in told]
    assert [event["seq"] for event in events] == [*range(1, len(CHUNKS) + 2)]
    assert [event["data"] for event in events] == [*CHUNKS, {"result": TEXTS}]
    chunk, error = [json.loads(line)["data"] for line in failed]
    assert (chunk, error["message"], error["data"]) == (SPECIAL, TEXTS[1], {SPECIAL: TEXTS})


def test_every_answer_of_json_is_one_line_for_every_reader_of_lines(
    read: Reader, base: str
) -> None:
    def ask(method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        (line,) = read(Request(method, f"{base}/{path}", JSON, body))
        return json.loads(line)

    whole = ask("POST", "speak?events=true", {})
    run = f"runs/{whole['runId']}"
    snapshot, polled = ask("GET", run), ask("GET", f"{run}?after=0")
    listed, manifest, openapi = (
        ask("GET", path) for path in ("runs", "manifest.json", "openapi.json")
    )
    refused = ask("POST", "speak", {SPECIAL: 1})
    early, late = (ask("POST", "refuse", {"at_once": at_once}) for at_once in (True, False))

    assert whole["result"] == snapshot["result"] == TEXTS
    assert [event["data"] for event in whole["events"][:-1]] == CHUNKS
    assert [event["data"] for event in polled["events"][:-1]] == CHUNKS
    assert snapshot["text"] == "".join(text + text for text in TEXTS)
    assert snapshot["chunk"] == CHUNKS[-1]
    assert [listed["runs"][-1][name] for name in ("action", "status")] == ["speak", "completed"]
    assert SPECIAL in json.dumps(manifest, ensure_ascii=False)
    assert SPECIAL in json.dumps(openapi, ensure_ascii=False)
    assert [*refused["error"]["fieldErrors"]] == [SPECIAL]
    assert early["error"]["data"] == late["error"]["data"] == {SPECIAL: TEXTS}


def test_httpx_sse_reads_every_event_whole(base: str) -> None:
    request = Request("POST", f"{base}/speak", SSE, {})

    async def read() -> list[str]:
        async with (
            httpx.AsyncClient() as client,
            aconnect_sse(client, **request.for_httpx) as source,
        ):
            return [event.data async for event in source.aiter_sse()]

    with httpx.Client() as client, connect_sse(client, **request.for_httpx) as source:
        events = [event.data for event in source.iter_sse()]

    for each in (events, asyncio.run(read())):
        assert [json.loads(data) for data in each[1:]] == [*CHUNKS, {"result": TEXTS}]


def test_a_text_is_sent_as_it_is(base: str) -> None:
    with httpx.stream(**Request("POST", f"{base}/speak", "text/plain", {}).for_httpx) as answer:
        text = answer.read().decode()

    assert text == "".join(text + text for text in TEXTS)


def test_a_page_shows_them_as_they_are(base: str) -> None:
    with httpx.Client(headers={"Accept": "text/html", "Authorization": "Bearer alice"}) as client:
        run = client.post(f"{base}/speak", json={}).headers["location"]
        client.get(f"{base}{run}?after=0&wait=30", headers={"Accept": JSON})
        page = client.get(f"{base}{run}")
        refused = client.post(f"{base}/speak", json={SPECIAL: 1})

    assert (page.status_code, refused.status_code) == (200, 422)
    assert SPECIAL in refused.text
    assert TEXTS[1] * 2 in page.text
