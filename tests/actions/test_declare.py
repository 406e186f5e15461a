"""`@actions.action` and `@actions.feed`: with options, without, and what they refuse."""

from collections.abc import AsyncIterator

import pytest

from yieldwire import Text
from yieldwire.actions.registry import Registry
from yieldwire.errors import InvalidAction


async def say_hello() -> AsyncIterator[Text]:
    yield Text("hello")


def test_an_action_is_declared_with_options_or_without() -> None:
    registry = Registry()

    @registry.action
    async def plain() -> AsyncIterator[Text]:
        yield Text("a")

    @registry.action()
    async def empty() -> AsyncIterator[Text]:
        yield Text("a")

    @registry.feed(timeout=3.0, shared=True, keep=10)
    async def ticker() -> AsyncIterator[Text]:
        yield Text("a")

    assert [action.name for action in registry.actions] == ["plain", "empty", "ticker"]
    assert plain.options == empty.options
    assert (ticker.options.timeout, ticker.options.keep) == (3.0, 10)


def test_a_function_that_cannot_be_an_action_leaves_nothing_behind() -> None:
    registry = Registry()

    with pytest.raises(InvalidAction, match="for feeds"):
        registry.action(shared=True)(say_hello)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]

    assert list(registry.actions) == []


@pytest.mark.parametrize("options", [{}, {"linger": 3.0}])
def test_a_feed_is_started_by_get_and_another_action_by_post(options: dict[str, float]) -> None:
    registry = Registry()

    feed = registry.feed(linger=3.0)(say_hello) if options else registry.feed(say_hello)
    action = Registry().action(say_hello)

    assert (feed.method, action.method) == ("GET", "POST")


def test_options_that_are_given_twice_add_up() -> None:
    feed = Registry().feed(shared=True)(keep=3)(say_hello)

    assert (feed.options.is_feed, feed.options.shared, feed.options.keep) == (True, True, 3)
