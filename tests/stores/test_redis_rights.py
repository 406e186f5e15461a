"""What the Redis store's user has to be allowed, as the guide says."""

import logging
import re
from functools import partial
from pathlib import Path

import pytest

import yieldwire.stores.redis
from tests.support.valkey import REDIS_6, VALKEY, RedisServer, rules_of_the_guide
from yieldwire.errors import StoreError
from yieldwire.stores import Query
from yieldwire.stores.redis import RedisStore
from yieldwire.testing.contract.harness import chunks, claimed, finished
from yieldwire.testing.contract.reading import wakes

SOURCE = Path(yieldwire.stores.redis.__file__).parent
OF_THE_CLIENT = {"SELECT"}
"""What the client library sends by itself, if the URL names a database."""


def sent() -> set[str]:
    """Return the commands that the store sends, and those of its scripts."""
    calls = [r"redis\.p?call\('([A-Z]+)'", r"\(b\"([A-Z]+)\""]
    texts = [file.read_text("utf-8") for file in SOURCE.rglob("*.*") if file.suffix != ".pyc"]
    return {name for text in texts for call in calls for name in re.findall(call, text)}


def allow(server: RedisServer, *rules: str) -> None:
    assert server.ask("acl", "setuser", "shop", "on", ">secret", *rules) == "OK"


@pytest.mark.parametrize("binary", [VALKEY, REDIS_6], ids=["valkey", "redis 6"])
@pytest.mark.parametrize("rules", rules_of_the_guide(), ids=["easy", "least"])
async def test_the_users_of_the_guide_can_do_everything(
    binary: str, rules: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "yieldwire.worker")
    with RedisServer(binary=binary) as server:
        allow(server, *rules)
        url = f"redis://shop:secret@127.0.0.1:{server.port}/1"
        store, other = (RedisStore(url, prefix="shop") for _ in range(2))
        await store.open()
        run = await claimed(store)
        write = partial(store.append, run.id, chunks(run.id, 1, 1), after=0, fence=run.fence)

        await wakes(other, run.id, 0, write)
        ended = await finished(store)
        assert len(await store.find(Query(everyone=True))) == 2
        await store.sweep()
        assert await store.purge(ended.id) == [ended.id]
        await store.revoke("ada")
        assert (await store.revoked(0)).last == 1

        assert caplog.messages == []
        assert server.ask("acl", "log") == ""
        await store.close()
        await other.close()


@pytest.mark.parametrize("command", ["hset", "hgetall"], ids=["in a script", "sent"])
async def test_a_command_that_the_user_is_not_allowed_is_named(command: str) -> None:
    _, least = rules_of_the_guide()
    with RedisServer() as server:
        allow(server, *least, f"-{command}")
        store = RedisStore(f"redis://shop:secret@127.0.0.1:{server.port}", prefix="shop")

        with pytest.raises(StoreError, match=f"'{command}'.*Give the user all commands"):
            await claimed(store)
        await store.close()


def test_the_least_rights_of_the_guide_are_the_commands_that_the_store_sends() -> None:
    _, least = rules_of_the_guide()

    allowed = [rule[1:].upper() for rule in least if rule.startswith("+")]

    assert allowed == sorted(sent() | OF_THE_CLIENT)
