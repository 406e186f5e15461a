"""A client writes large files to the object store itself, or sends them with the start."""

import asyncio
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

import httpx2
import pytest

from tests.support.direct import DirectStore, counting
from yieldwire import Actions, Progress, Upload
from yieldwire.client import AsyncClient, Patience
from yieldwire.client.direct import Direct
from yieldwire.client.wire import Wire
from yieldwire.errors import NotFound
from yieldwire.testing.transport import StreamingTransport


class Bucket(httpx2.AsyncBaseTransport):
    """Answers signed requests as an object store does."""

    def __init__(self, store: DirectStore) -> None:
        self._store = store
        self.faults: list[int | Exception] = []
        """What happens to the next requests."""
        self.requests: list[httpx2.Request] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        content = await request.aread()
        assert request.headers["content-length"] == str(len(content))
        fault = self.faults.pop(0) if self.faults else 200
        if isinstance(fault, Exception):
            raise fault
        if fault == 200:
            await asyncio.to_thread(self._store.uploads.write, str(request.url), content)
        return httpx2.Response(fault)


class Watched(StreamingTransport):
    """The way to the application, which counts what is sent to it."""

    def __init__(self, actions: Actions) -> None:
        super().__init__(actions)
        self.sent: list[str] = []
        self.sizes: list[int] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.sent.append(request.url.path)
        self.sizes.append(int(request.headers.get("content-length", "0")))
        return await super().handle_async_request(request)


@pytest.fixture
def store() -> DirectStore:
    return DirectStore()


@pytest.fixture
def bucket(store: DirectStore) -> Bucket:
    return Bucket(store)


@pytest.fixture
def server(store: DirectStore) -> Watched:
    return Watched(counting(store))


@pytest.fixture
async def http(server: Watched, bucket: Bucket) -> AsyncIterator[httpx2.AsyncClient]:
    own = {"Authorization": "Basic c2VjcmV0"}
    mounts = {"all://bucket.test": bucket}
    async with httpx2.AsyncClient(transport=server, mounts=mounts, headers=own) as http:
        yield http


async def no_sleep(_seconds: float) -> None: ...


def client_of(http: httpx2.AsyncClient, direct_from: int | None = 0) -> AsyncClient:
    patience = Patience(sleep=no_sleep)
    return AsyncClient("http://localhost", http=http, patience=patience, direct_from=direct_from)


LARGE = b"x" * 600_000


async def test_files_are_written_to_the_object_store_and_named_in_the_start(
    http: httpx2.AsyncClient, server: Watched, bucket: Bucket, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_bytes(LARGE)
    more = Upload(BytesIO(b"!"), filename="b", content_type="text/plain")

    async with client_of(http) as client:
        result = await client.call("length", {"file": tmp_path / "a.csv", "more": more})

    assert result == f"a.csv text/csv {LARGE.decode()}!"
    assert server.sent == ["/length/uploads", "/length"]
    assert max(server.sizes) < 2000
    assert [each.headers["content-type"] for each in bucket.requests] == ["text/csv", "text/plain"]
    assert not any({"authorization", "cookie"} & {*each.headers} for each in bucket.requests)


async def test_what_is_written_to_the_object_store_is_told_and_again_if_it_is_repeated(
    http: httpx2.AsyncClient, bucket: Bucket
) -> None:
    told: list[Progress] = []
    bucket.faults = [200, 503]
    files = {"file": BytesIO(LARGE), "more": BytesIO(LARGE)}

    async with client_of(http) as client:
        await client.call("length", files, on_upload=told.append)

    sent = [one.current for one in told]
    assert {one.total for one in told} == {2 * len(LARGE)}
    assert (sent[0], sent[-1]) == (0, 2 * len(LARGE))
    assert sent.count(2 * len(LARGE)) == 2  # the second file was written twice
    assert sent.count(len(LARGE)) == 1


async def test_an_empty_file_is_written_too(http: httpx2.AsyncClient) -> None:
    async with client_of(http) as client:
        assert await client.call("length", {"file": BytesIO(b"")}) == (
            "upload application/octet-stream "
        )


@pytest.mark.parametrize(("direct_from", "requests"), [(None, 0), (6, 0), (5, 1)])
async def test_small_files_are_sent_with_the_start(
    http: httpx2.AsyncClient, bucket: Bucket, direct_from: int | None, requests: int
) -> None:
    async with client_of(http, direct_from) as client:
        await client.call("length", {"file": BytesIO(b"hello")})
        await client.call("plain", {"n": 1})

    assert len(bucket.requests) == requests


@pytest.mark.parametrize(
    "faults",
    [[503], [httpx2.ConnectError("refused"), httpx2.ReadTimeout("slow")]],
    ids=["busy", "broken"],
)
async def test_a_file_is_written_again_when_the_connection_fails(
    http: httpx2.AsyncClient, server: Watched, bucket: Bucket, faults: list[int | Exception]
) -> None:
    bucket.faults += faults

    async with client_of(http) as client:
        result = await client.call("length", {"file": BytesIO(LARGE)})

    assert str(result).endswith(LARGE.decode())
    assert len(bucket.requests) == len(faults) + 1
    assert max(server.sizes) < 2000


@pytest.mark.parametrize(
    "faults",
    [[403], 9 * [503], 9 * [httpx2.ConnectError("refused")]],
    ids=["refused", "busy", "lost"],
)
async def test_files_that_cannot_be_written_are_sent_with_the_start(
    http: httpx2.AsyncClient, server: Watched, bucket: Bucket, faults: list[int | Exception]
) -> None:
    bucket.faults += faults

    async with client_of(http) as client:
        result = await client.call("length", {"file": BytesIO(LARGE)})

    assert str(result).endswith(LARGE.decode())
    assert server.sent == ["/length/uploads", "/length"]
    assert max(server.sizes) > len(LARGE)


async def test_a_server_that_offers_no_place_is_asked_once(bucket: Bucket) -> None:
    server = Watched(counting(None))
    async with (
        httpx2.AsyncClient(transport=server) as http,
        client_of(http) as client,
    ):
        for _ in range(2):
            await client.call("length", {"file": BytesIO(b"hello")})

    assert server.sent == ["/length/uploads", "/length", "/length"]


async def test_what_cannot_be_started_is_told_by_the_start(http: httpx2.AsyncClient) -> None:
    async with client_of(http) as client:
        with pytest.raises(NotFound, match="There is no action"):
            await client.call("absent", {"file": BytesIO(b"hello")})


async def test_a_client_without_http_of_its_own_writes_with_another(server: Watched) -> None:
    async with httpx2.AsyncClient(transport=server) as http:
        direct = Direct(Wire("http://localhost", http), None, 0)

        await direct.aclose()

        assert (await http.get("http://localhost/manifest.json")).status_code == 200
