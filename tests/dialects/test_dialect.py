from typing import Any

import pytest

from tests.dialects.test_fictive import Parrot
from tests.support.calls import post, send, stream
from tests.support.world import ALICE, WHOLE, opened, world
from yieldwire import Actions
from yieldwire.asgi import BoundAction
from yieldwire.dialects import ForeignCall, Reply
from yieldwire.errors import Json, UsageError


def test_an_action_is_an_attribute_of_its_application() -> None:
    actions = world()

    assert actions.send_tree == BoundAction(actions, actions.app.registry.action_named("send_tree"))
    assert actions.sendTree == actions.send_tree


def test_an_application_has_no_attribute_for_what_is_not_an_action() -> None:
    with pytest.raises(AttributeError, match="no attribute 'sya', and no action of that name"):
        _ = world().sya


@pytest.mark.parametrize("target", ["say", object(), world])
def test_a_target_is_an_action_of_an_application_or_an_application(target: Any) -> None:  # noqa: ANN401 - a mistake
    with pytest.raises(UsageError, match="Parrot takes an action of an application"):
        Parrot(target)


async def test_a_dialect_without_a_target_is_no_application() -> None:
    async with stream(Parrot(), post("/")) as response:
        await response.rest()

    assert "Say what is called: Parrot(actions.chat)" in str(response.error)


def test_a_dialect_with_a_target_is_not_mounted_in_another_application() -> None:
    with pytest.raises(UsageError, match="This dialect has a target"):
        Actions().mount(Parrot(world()))


async def test_a_dialect_opens_and_closes_its_application() -> None:
    actions = world()
    sent: list[Any] = []
    received = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive() -> Any:  # noqa: ANN401 - an ASGI message
        return next(received)

    async def keep(message: Any) -> None:  # noqa: ANN401 - an ASGI message
        sent.append(message["type"])

    await Parrot(actions)({"type": "lifespan"}, receive, keep)

    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_a_client_of_one_action_reaches_no_other() -> None:
    actions = world()
    async with opened(actions):
        heard = await send(Parrot(actions.say), post("/", {"say": "wait"}, ALICE))
        native = await send(actions, post("/say", {}, [*ALICE, WHOLE]))

    assert heard.body == b'+{"type":"text","text":"hello"}\n.done\n'
    assert native.status == 200


class Patient(Parrot):
    """Starts a run, reads nothing of it for a while, and says how it goes meanwhile and after."""

    def __init__(self, target: Actions) -> None:
        super().__init__(target)
        self._app = target.app

    async def answer(self, call: ForeignCall) -> None:
        app = self._app

        async def read() -> Json:
            return {}

        run = await call.start(call.action("wait"), read, linger=0.0)
        async with call.attached(run, 60.0):
            await app.sweep()
            meanwhile = (await app.store.get(run.id)).cancel_reason
        await app.sweep()
        await app.sweep()
        after = (await app.store.get(run.id)).cancel_reason
        await call.reply(Reply(body=f"{meanwhile} {after}".encode()))


async def test_a_run_without_readers_goes_on_while_a_request_keeps_it_attached() -> None:
    actions = world()
    async with opened(actions):
        heard = await send(Patient(actions), post("/", {}, ALICE))

    assert heard.body == b"None unattended"
