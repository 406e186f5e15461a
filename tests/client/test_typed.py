"""Actions with types: values are what a module says they are, for both clients."""

import datetime as dt
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Never

import pytest
from typing_extensions import TypedDict

from tests.conftest import Serve
from yieldwire import ActionError, Actions, Context, Result, Timing, Upload
from yieldwire.client import AsyncClient, Client
from yieldwire.client.typed import (
    AsyncCaller,
    BlockingCaller,
    FileLike,
    TypedCall,
    action,
    default,
    feed,
)
from yieldwire.errors import ProtocolError, RunCancelled, TimedOut, ValidationFailed


class Served:
    """What the server has, under names of its own."""

    actions = Actions(timing=Timing(grace=0.1))  # some runs are left unanswered

    @dataclass
    class Day:
        day: dt.date
        number: int

    class Credit(TypedDict):
        balance: int

    @dataclass
    class Decision:
        approved: bool


class Broke(ActionError):
    code = "BROKE"
    data: Served.Credit

    def __init__(self) -> None:
        super().__init__(self.code, "No money.", data={"balance": 0})


@Served.actions.action(errors=[Broke])
async def days(
    count: int, *, late: bool = False
) -> AsyncIterator[Served.Day | Result[list[Served.Day]]]:
    if count < 0 and not late:
        raise Broke
    for number in range(count):
        yield Served.Day(dt.date(2026, 1, 1 + number), number)
    if count < 0:
        yield Served.Day(dt.date(2026, 1, 1), 0)
        raise Broke
    yield Result([Served.Day(dt.date(2026, 1, 1), count)])


@Served.actions.action
async def size(files: list[Upload], name: str = "of the server") -> str:
    return f"{sum(len(file.file.read()) for file in files)} {name}"


@Served.actions.feed
async def ticks(most: int) -> AsyncIterator[int]:
    for number in range(most):
        yield number


@Served.actions.action(asks=Served.Decision, inbox=int)
async def decide(ctx: Context) -> str:
    decision = await ctx.ask(Served.Decision, "Well?")
    async for number in ctx.inbox(int):
        return f"{decision.approved} {number}"
    raise AssertionError("an inbox does not end")


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    day: dt.date
    number: int


@dataclass(frozen=True)
class Credit:
    balance: int


class Decision(TypedDict):
    approved: bool


class OutOfMoney(ActionError):
    code = "BROKE"
    data: Credit


class _Actions:
    @action("days", errors=[OutOfMoney])
    def days(self, *, count: int, late: bool = default(False)) -> TypedCall[Day, list[Day]]:
        """Yield days."""
        return TypedCall({"count": count, "late": late})

    @action("days")
    def wrong(self, *, count: int) -> TypedCall[int, str]:
        return TypedCall({"count": count})

    @action("size")
    def size(
        self, *, files: Sequence[FileLike], name: str = default()
    ) -> TypedCall[Never, Literal["3 of the server"]]:
        return TypedCall({"files": files, "name": name})

    @feed("ticks")
    def ticks(self, *, most: int) -> TypedCall[int, None]:
        return TypedCall({"most": most})

    @action("decide")
    def decide(self) -> TypedCall[Never, str, Decision, int]:
        return TypedCall()

    @action("days")
    def anything(self, input: object, /) -> TypedCall[Any, Any]:
        return TypedCall(input)


class AsyncTyped(_Actions, AsyncCaller):
    pass


class Typed(_Actions, BlockingCaller):
    pass


KEY = "a-key-of-random-letters-or-so"
FIRST = Day(day=dt.date(2026, 1, 1), number=0)


@pytest.fixture
async def actions(serve: Serve) -> AsyncIterator[AsyncTyped]:
    async with AsyncClient(serve(Served.actions).url) as client:
        yield AsyncTyped(client)


async def test_a_call_is_iterated_for_chunks_of_their_type(actions: AsyncTyped) -> None:
    chunks = [chunk async for chunk in actions.days(count=1)]

    assert chunks == [FIRST]


async def test_a_call_is_awaited_for_a_result_of_its_type(actions: AsyncTyped) -> None:
    result = await actions.days(count=3)

    assert result == [Day(day=dt.date(2026, 1, 1), number=3)]


async def test_a_call_is_entered_for_its_run(actions: AsyncTyped) -> None:
    async with actions.days(count=1) as run:
        chunks = [chunk async for chunk in run]
        result = await run.result()
    snapshot = await run.snapshot()

    assert (chunks, [day.number for day in result]) == ([FIRST], [1])
    assert snapshot["detached"] is False


async def test_a_started_run_continues_without_readers_and_is_found_again(
    actions: AsyncTyped,
) -> None:
    run = await actions.days(count=2).start(key=KEY)
    again = await actions.days(count=2).start(key=KEY)
    snapshot = await run.snapshot()
    attached = [chunk async for chunk in actions.days.attach(run.id, f"{run.id}.1")]

    assert again.id == run.id
    assert snapshot["detached"] is True
    assert [day.number for day in attached] == [1]


async def test_a_parameter_that_is_left_out_is_not_sent(
    actions: AsyncTyped, tmp_path: Path
) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(b"abc")
    result = await actions.size(files=[file])

    assert result == "3 of the server"


async def test_a_feed_is_read(actions: AsyncTyped) -> None:
    chunks = [chunk async for chunk in actions.ticks(most=2)]
    started = [chunk async for chunk in await actions.ticks(most=2).start()]

    assert chunks == started == [0, 1]


@pytest.mark.parametrize("late", [False, True])
async def test_an_error_of_the_action_is_its_class_with_its_data(
    actions: AsyncTyped, *, late: bool
) -> None:
    with pytest.raises(OutOfMoney, match=r"^No money\.$") as raised:
        await actions.days(count=-1, late=late)

    assert raised.value.data == Credit(0)
    assert raised.value.status == 400
    assert raised.value.run_id is not None


async def test_an_error_of_the_framework_stays_what_it_is(actions: AsyncTyped) -> None:
    with pytest.raises(ValidationFailed, match="count"):
        await actions.anything({"count": "many"})


async def test_an_answer_and_a_message_reach_the_action(actions: AsyncTyped) -> None:
    run = await actions.decide().start()
    async for event in run.events():
        if event.type == "question":
            await run.answer(event.value["id"], {"approved": True})
            await run.send(3)
    result = await run.result()

    assert result == "True 3"


async def test_the_run_of_a_start_that_has_a_key_can_be_cancelled_by_it(
    actions: AsyncTyped,
) -> None:
    await actions.decide.cancel_start(KEY)

    with pytest.raises(RunCancelled):
        await (await actions.decide().start(key=KEY)).result()


async def test_a_value_that_has_another_type_is_told_with_its_place(actions: AsyncTyped) -> None:
    wrong = actions.wrong(count=1)

    with pytest.raises(ProtocolError, match=r"^A chunk of days does not match its type: "):
        await anext(aiter(wrong))
    with pytest.raises(ProtocolError, match=r"^The result of days .* generate the types again"):
        await wrong


async def test_a_call_can_be_limited_as_a_whole(actions: AsyncTyped) -> None:
    with pytest.raises(TimedOut, match=r"^The call of decide took more than 0\.1 s\.$") as raised:
        await actions.decide().result(timeout=0.1)

    assert raised.value.run_id is not None
    assert await actions.days(count=0).result(timeout=30) == [Day(day=FIRST.day, number=0)]


async def test_a_call_that_is_forgotten_is_warned_about(actions: AsyncTyped) -> None:
    with pytest.warns(RuntimeWarning, match=r"^The call of days was never made: await it, "):
        actions.days(count=1)


def test_a_blocking_call_that_is_forgotten_is_warned_about(serve: Serve) -> None:
    with (
        Client(serve(Served.actions).url) as client,
        pytest.warns(RuntimeWarning, match=r"or use its result\(\) or start\(\)\.$"),
    ):
        Typed(client).days(count=1)


def test_a_blocking_call_does_the_same(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(b"abc")
    with Client(serve(Served.actions).url) as client:
        actions = Typed(client)
        chunks = list(actions.days(count=1))
        result = actions.size(files=[file]).result()
        with actions.days(count=2) as run:
            numbers = [day.number for day in run]
        run = actions.days(count=2).start(key=KEY)
        rest = list(actions.days.attach(run.id, f"{run.id}.1"))
        ticks = list(actions.ticks(most=2))
        with pytest.raises(OutOfMoney, match=r"^No money\.$"):
            actions.days(count=-1).result()
        with pytest.raises(OutOfMoney, match=r"^No money\.$"):
            list(actions.days(count=-1, late=True))
        cancelled = actions.decide.cancel_start(KEY[::-1])
        with pytest.raises(TimedOut, match="The call of decide took"):
            actions.decide().result(timeout=0.1)

    assert (chunks, result, numbers, ticks) == ([FIRST], "3 of the server", [0, 1], [0, 1])
    assert [day.number for day in rest] == [1]
    assert cancelled["status"] == "cancelled"


def test_an_action_has_the_docstring_of_its_method(serve: Serve) -> None:
    with Client(serve(Served.actions).url) as client:
        assert Typed(client).days.__doc__ == "Yield days."


@pytest.mark.parametrize(("value", "shown"), [(0.5, "default(0.5)"), (None, "default()")])
def test_a_default_is_shown_as_it_is_written(value: object, shown: str) -> None:
    assert repr(default(value)) == shown
