"""The Redis and PostgreSQL stores over TLS: wrong certificates are refused, of either side."""

from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.support.pgbouncer import encrypting
from tests.support.postgres import new_schema
from tests.support.postgres import server as postgres_server
from tests.support.tls import Authority, encrypted
from tests.support.valkey import RedisServer
from yieldwire.errors import StoreError
from yieldwire.log.run import Status
from yieldwire.stores import RunStore
from yieldwire.stores.postgres import PostgresStore
from yieldwire.stores.redis import RedisStore
from yieldwire.testing.contract.harness import chunks, claimed, created, log_of
from yieldwire.testing.contract.reading import wakes

HOST = "127.0.0.1"
ELSEWHERE = "127.0.0.2"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Another authority, which has signed nothing of the server."""
    return Authority(tmp_path_factory.mktemp("stranger"))


async def live(one: RunStore, other: RunStore) -> None:
    """Check that two stores share runs: what one starts, the other waits for and cancels."""
    run = await claimed(one)
    write = partial(one.append, run.id, chunks(run.id, 1, 1), after=0, fence=run.fence)
    await wakes(other, run.id, 0, write)
    assert [event.seq for event in await log_of(other, run.id)] == [1]
    waiting = await created(one)
    await wakes(one, waiting.id, 0, partial(other.request_cancel, waiting.id, "requested"))
    assert (await one.get(waiting.id)).status is Status.CANCELLED
    await one.close()
    await other.close()


async def refused(store: RunStore, match: str) -> None:
    """Check that a store cannot use its server, and says why."""
    with pytest.raises(StoreError, match=match):
        await store.get("rnever")
    await store.close()


def redis_store(port: int, *options: str, scheme: str = "rediss") -> RedisStore:
    """Return a store at a port, with options of the connections."""
    return RedisStore(f"{scheme}://{HOST}:{port}?{'&'.join(options)}", timeout=2.0)


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
async def redis(server: RedisServer, authority: Authority) -> AsyncIterator[int]:
    async with encrypted(server.port, authority.signed(HOST)) as port:
        yield port


@pytest.mark.parametrize("scheme", ["rediss", "valkeys"])
async def test_stores_share_runs_through_redis_over_tls(
    redis: int, authority: Authority, scheme: str
) -> None:
    trusted = f"ssl_ca_certs={authority.file}"

    await live(*(redis_store(redis, trusted, scheme=scheme) for _ in range(2)))


async def test_a_redis_server_with_a_certificate_of_another_authority_is_refused(
    redis: int, stranger: Authority
) -> None:
    for options in ([f"ssl_ca_certs={stranger.file}"], []):
        store = redis_store(redis, *options)

        await refused(store, r"verify failed: unable to get .* ssl_ca_certs the file of the auth")


async def test_a_redis_server_with_a_certificate_for_another_host_is_refused(
    server: RedisServer, authority: Authority
) -> None:
    async with encrypted(server.port, authority.signed(ELSEWHERE)) as port:
        store = redis_store(port, f"ssl_ca_certs={authority.file}")

        await refused(store, r"not valid for '127\.0\.0\.1'.* one that the server's certificate")


async def test_a_redis_server_can_ask_for_a_certificate_of_the_client(
    server: RedisServer, authority: Authority
) -> None:
    shown, trusted = authority.signed(ELSEWHERE), f"ssl_ca_certs={authority.file}"
    own = (f"ssl_certfile={shown.file}", f"ssl_keyfile={shown.key}")

    async with encrypted(server.port, authority.signed(HOST), clients=authority.file) as port:
        await refused(redis_store(port, trusted), "ssl_keyfile those of a client's certificate")
        await live(*(redis_store(port, trusted, *own) for _ in range(2)))


def postgres_store(
    dsn: str, schema: str, *options: str, listen: str | None = None
) -> PostgresStore:
    """Return a store that checks the server's certificate."""
    url = f"{dsn}?{'&'.join(['sslmode=verify-full', *options])}"
    return PostgresStore(url, schema=schema, timeout=2.0, listen=listen)


@pytest.fixture
def postgres(authority: Authority, tmp_path: Path) -> Iterator[str]:
    with encrypting(postgres_server(), tmp_path, authority.signed(HOST)) as bouncer:
        yield bouncer.dsn


async def test_stores_share_runs_through_postgresql_over_tls(
    postgres: str, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    schema, trusted = new_schema(), f"sslrootcert={authority.file}"

    await live(*(postgres_store(postgres, schema, trusted) for _ in range(2)))

    assert caplog.messages == []


async def test_a_connection_that_listens_checks_the_certificate_too(
    postgres: str, authority: Authority, stranger: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    for listens, said in ((authority, []), (stranger, ["certificate verify failed"])):
        schema, trusted = new_schema(), f"sslrootcert={authority.file}"
        listen = f"{postgres}?sslmode=verify-full&sslrootcert={listens.file}"

        await live(*(postgres_store(postgres, schema, trusted, listen=listen) for _ in range(2)))

        assert all(any(word in each for each in caplog.messages) for word in said)
        assert bool(caplog.messages) is bool(said)


async def test_a_postgresql_server_with_a_wrong_certificate_is_refused(
    postgres: str, authority: Authority, stranger: Authority, tmp_path: Path
) -> None:
    trusted = f"sslrootcert={authority.file}"
    with encrypting(postgres_server(), tmp_path, authority.signed(ELSEWHERE)) as elsewhere:
        for dsn, option, said in (
            (postgres, f"sslrootcert={stranger.file}", "verify failed.*sslrootcert the file"),
            (postgres, "sslrootcert=/none.pem", "none.pem.* does not exist.*sslrootcert the file"),
            (elsewhere.dsn, trusted, "does not match host name.*its host must be one"),
            (postgres_server().dsn(tcp=True), trusted, "support SSL.*sslmode what the server"),
        ):
            await refused(postgres_store(dsn, new_schema(), option), said)


async def test_a_postgresql_server_can_ask_for_a_certificate_of_the_client(
    authority: Authority, tmp_path: Path
) -> None:
    shown, trusted = authority.signed(ELSEWHERE), f"sslrootcert={authority.file}"
    own, schema = (f"sslcert={shown.file}", f"sslkey={shown.key}"), new_schema()
    served = authority.signed(HOST)

    with encrypting(postgres_server(), tmp_path, served, clients=authority.file) as bouncer:
        await refused(postgres_store(bouncer.dsn, schema, trusted), "sslcert and sslkey")
        await live(*(postgres_store(bouncer.dsn, schema, trusted, *own) for _ in range(2)))
