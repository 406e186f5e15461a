from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from yieldwire.actions.action import Action
from yieldwire.actions.context import Context
from yieldwire.actions.guard import Guard
from yieldwire.actions.middleware import Middleware
from yieldwire.actions.registry import Registry
from yieldwire.errors import InvalidAction, NotFound, UsageError
from yieldwire.log.chunks import Text


async def say_hello() -> AsyncIterator[Text]:
    yield Text("hello")


async def sayHello() -> AsyncIterator[Text]:  # noqa: N802 - the other's camelCase form
    yield Text("hello")


async def open_pool() -> AsyncIterator[str]:
    yield "pool"


async def open_page() -> AsyncIterator[Text]:
    yield Text("page")


async def say_hello_to(name: str) -> None: ...


def guard(name: str) -> Guard:
    async def let_pass(ctx: Context) -> None: ...

    let_pass.__name__ = name
    return let_pass


def wrapper(name: str) -> Middleware:
    async def wrap(ctx: Context) -> AsyncIterator[None]:
        yield

    wrap.__name__ = name
    return wrap


def named(functions: Sequence[Any]) -> list[str]:
    return [function.__name__ for function in functions]


def test_an_action_answers_to_its_name_and_to_its_camel_case_form() -> None:
    registry = Registry()

    action = registry.action(say_hello)

    assert registry.action_named("say_hello") is action
    assert registry.action_named("sayHello") is action


def test_nothing_is_found_by_a_name_that_was_not_registered() -> None:
    registry = Registry()

    with pytest.raises(NotFound, match=r"no action 'say_hello'; manifest\.json lists"):
        registry.action_named("say_hello")


def test_a_name_is_taken_in_both_of_its_forms() -> None:
    registry = Registry()
    registry.action(say_hello)

    with pytest.raises(InvalidAction, match="Two actions answer to 'sayHello'"):
        registry.action(sayHello)


def test_options_are_kept_with_the_action() -> None:
    registry = Registry()

    action = registry.action(linger=None, labels=("kind",))(say_hello)

    assert action.options.linger is None
    assert action.options.labels == ("kind",)


def test_another_application_is_included_with_its_actions_and_resources() -> None:
    whole, part = Registry(), Registry()
    action: Action[..., AsyncIterator[Text], object] = part.action(linger=None)(say_hello)
    pool = part.resource(open_pool)

    whole.include(part)

    assert whole.action_named("sayHello") is action
    assert list(whole.actions) == [action]
    assert whole.resources == [pool]


async def takes_an_address(url: str) -> AsyncIterator[str]:
    yield url


def opens_at_once() -> str:
    return "pool"


@pytest.mark.parametrize("opener", [takes_an_address, opens_at_once, say_hello_to, 3])
def test_a_resource_is_an_async_generator_without_parameters(opener: Any) -> None:  # noqa: ANN401
    registry = Registry()

    with pytest.raises(UsageError, match=r": it is not an async generator without parameters"):
        registry.resource(opener)
    assert registry.resources == []


def test_an_action_belongs_to_the_application_that_has_it() -> None:
    registry, other = Registry(), Registry()
    action, foreign = registry.action(say_hello), other.action(say_hello)
    bare: Any = say_hello

    assert registry.own(action) is action
    for wrong in (foreign, bare):
        with pytest.raises(UsageError, match="say_hello: it is not an action of this application"):
            registry.own(wrong)


def test_an_unknown_option_is_told_with_the_functions_name() -> None:
    registry = Registry()
    options: Any = {"retry": 3}

    with pytest.raises(InvalidAction, match=r"^say_hello: .* retry=; did you mean retries=\?$"):
        registry.action(**options)(say_hello)
    assert list(registry.actions) == []


def test_an_included_action_must_not_take_a_name_that_is_taken() -> None:
    whole, part = Registry(), Registry()
    whole.action(say_hello)
    part.action(say_hello)

    with pytest.raises(InvalidAction, match="Two actions answer to"):
        whole.include(part)


def test_an_included_action_keeps_the_guards_and_middleware_of_both() -> None:
    inner, part, whole = (
        Registry(guards=[guard(name)], middleware=[wrapper(name)])
        for name in ("inner", "part", "whole")
    )
    action = inner.action(guards=[guard("own")], middleware=[wrapper("own")])(say_hello)

    part.include(inner)
    whole.include(part)

    assert named(whole.guards_of(action)) == ["whole", "part", "inner", "own"]
    assert named(whole.middleware_of(action)) == ["whole", "part", "inner", "own"]
    assert named(inner.guards_of(action)) == ["inner", "own"]


def test_actions_next_to_the_included_ones_keep_their_own_guards() -> None:
    part, whole = Registry(guards=[guard("part")]), Registry(guards=[guard("whole")])
    part.action(sayHello)

    whole.include(part)
    action = whole.action(open_page)

    assert named(whole.guards_of(action)) == ["whole"]


def test_a_resource_that_comes_along_twice_is_opened_once() -> None:
    shared, part, whole = Registry(), Registry(), Registry()
    pool = shared.resource(open_pool)

    part.include(shared)
    whole.include(shared)
    whole.include(part)

    assert whole.resources == [pool]


def test_an_action_whose_name_is_taken_is_not_registered_at_all() -> None:
    registry = Registry()
    first = registry.action(say_hello)

    with pytest.raises(InvalidAction, match="Two actions answer to"):
        registry.action(say_hello)

    assert list(registry.actions) == [first]
    assert registry.action_named("say_hello") is first


@pytest.mark.parametrize(
    "name", ["__class__", "say_hello.__globals__", "SAY_HELLO", "Say_hello", ""]
)
def test_no_other_spelling_finds_an_action(name: str) -> None:
    registry = Registry()
    registry.action(say_hello)

    with pytest.raises(NotFound, match="There is no action"):
        registry.action_named(name)
