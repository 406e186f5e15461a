import pytest

from tests.client.script import OPENING, Server, chunk, end, json, refusal, stream
from yieldwire.errors import RateLimited
from yieldwire.testing import connect


async def test_an_application_is_called_without_a_network() -> None:
    server = Server([stream(OPENING, chunk(1, "a"), end(2))])

    async with connect(server) as client:
        chunks = [value async for value in client.stream("count")]

    assert chunks == ["a"]


async def test_headers_are_named_as_python_names_things() -> None:
    server = Server([json({"actions": []})])

    async with connect(server, x_user="u1", authorization="Bearer t") as client:
        await client.manifest()

    headers = server.requests[0].headers
    assert (headers["x-user"], headers["authorization"]) == ("u1", "Bearer t")


async def test_a_test_is_not_kept_waiting() -> None:
    server = Server([refusal(429, "RATE_LIMITED", retry_after="60")])

    async with connect(server) as client:
        with pytest.raises(RateLimited, match="No"):
            await client.call("count")
