import asyncio
import gc
import signal
import threading
from collections.abc import Iterator
from types import FrameType

import pytest

from yieldwire import Actions, Context, Timing
from yieldwire.asgi import signals

SECONDS = 10


class Ear:
    def __init__(self) -> None:
        self.heard: list[int] = []

    def hear(self, number: int) -> None:
        self.heard.append(number)


@pytest.fixture(autouse=True)
def former() -> Iterator[list[int]]:
    """What the previous handler was told; at the end all is as it was."""
    told: list[int] = []

    def handler(number: int, frame: FrameType | None) -> None:
        told.append(number)

    handlers = {number: signal.signal(number, handler) for number in signals.SIGNALS}
    yield told
    for number, before in handlers.items():
        signal.signal(number, before)


@pytest.mark.parametrize("number", signals.SIGNALS)
async def test_listeners_get_the_signal_and_so_does_the_previous_handler(
    number: signal.Signals, former: list[int]
) -> None:
    ear = Ear()
    signals.listen(ear.hear)

    signal.raise_signal(number)
    await asyncio.sleep(0)

    assert ear.heard == [number]
    assert former == [number]


async def test_a_handler_that_stood_before_is_called_once_however_many_listen(
    former: list[int],
) -> None:
    ears = [Ear(), Ear()]
    for ear in ears:
        signals.listen(ear.hear)

    signal.raise_signal(signal.SIGTERM)
    await asyncio.sleep(0)

    assert [ear.heard for ear in ears] == [[signal.SIGTERM], [signal.SIGTERM]]
    assert former == [signal.SIGTERM]


async def test_a_removed_listener_gets_nothing(former: list[int]) -> None:
    ear = Ear()
    signals.listen(ear.hear)

    signals.forget(ear.hear)
    signal.raise_signal(signal.SIGTERM)
    await asyncio.sleep(0)

    assert ear.heard == []
    assert former == [signal.SIGTERM]


async def test_with_the_last_who_listens_the_handlers_that_stood_before_come_back() -> None:
    before = [signal.getsignal(number) for number in signals.SIGNALS]
    ears = [Ear(), Ear()]
    for ear in ears:
        signals.listen(ear.hear)

    signals.forget(ears[0].hear)
    between = [signal.getsignal(number) for number in signals.SIGNALS]
    signals.forget(ears[1].hear)

    assert between != before
    assert [signal.getsignal(number) for number in signals.SIGNALS] == before


async def test_a_handler_that_was_set_since_stays() -> None:
    ear = Ear()
    signals.listen(ear.hear)

    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signals.forget(ear.hear)

    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN


async def test_who_is_collected_need_not_say_that_he_listens_no_more(former: list[int]) -> None:
    ear = Ear()
    heard = ear.heard
    signals.listen(ear.hear)

    del ear
    gc.collect()
    signal.raise_signal(signal.SIGTERM)
    await asyncio.sleep(0)

    assert heard == []
    assert former == [signal.SIGTERM]


async def test_a_signal_that_nobody_handles_is_left_to_the_system() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    ear = Ear()

    signals.listen(ear.hear)

    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    signals.forget(ear.hear)


def test_outside_of_the_main_thread_nothing_is_changed(former: list[int]) -> None:
    ear, before = Ear(), signal.getsignal(signal.SIGTERM)

    async def listen() -> None:
        signals.listen(ear.hear)

    thread = threading.Thread(target=lambda: asyncio.run(listen()))
    thread.start()
    thread.join(SECONDS)

    assert signal.getsignal(signal.SIGTERM) is before


async def test_a_second_interrupt_ends_the_wait_for_running_actions() -> None:
    actions = Actions(timing=Timing(grace=3600))
    began = asyncio.Event()

    @actions.action
    async def stay(ctx: Context) -> None:
        began.set()
        await asyncio.Event().wait()

    async with asyncio.timeout(SECONDS):
        await actions.app.open()
        run = await actions.start(stay)
        await began.wait()
        actions.site.hear(signal.SIGINT)
        async with asyncio.TaskGroup() as group:
            group.create_task(actions.app.close())
            await asyncio.sleep(0)
            actions.site.hear(signal.SIGINT)

    assert (await actions.app.store.get(run.id)).status == "failed"


async def test_a_second_request_to_terminate_changes_nothing() -> None:
    actions = Actions(timing=Timing(grace=3600))
    began, may_end = asyncio.Event(), asyncio.Event()

    @actions.action
    async def stay(ctx: Context) -> None:
        began.set()
        await may_end.wait()

    async with asyncio.timeout(SECONDS):
        await actions.app.open()
        run = await actions.start(stay)
        await began.wait()
        actions.site.hear(signal.SIGTERM)
        async with asyncio.TaskGroup() as group:
            group.create_task(actions.app.close())
            await asyncio.sleep(0)
            actions.site.hear(signal.SIGTERM)
            may_end.set()

    assert (await actions.app.store.get(run.id)).status == "completed"
