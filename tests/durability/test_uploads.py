"""The files of a run go with the run, whatever they are nested in and whatever becomes of it."""

import asyncio
import os
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from inspect import iscoroutinefunction
from io import BytesIO
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple, TypeAlias, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, RootModel
from pydantic import dataclasses as checked
from typing_extensions import TypedDict

from tests.support.crashing import POINTS, take
from tests.support.descriptors import open_files
from tests.support.long import amount
from tests.support.runs import SOON, first_chunk
from tests.support.server import ROOT
from yieldwire.actions.context import Context
from yieldwire.actions.run import Run
from yieldwire.actions.upload import Upload
from yieldwire.app import App
from yieldwire.clock import SystemClock, Timing
from yieldwire.errors import (
    Forbidden,
    KeyReused,
    ParseError,
    RateLimited,
    StoreError,
    ValidationFailed,
    YieldwireError,
)
from yieldwire.executors import RunLimits
from yieldwire.runs.start import uploads_in
from yieldwire.stores import Query, RunStore
from yieldwire.stores.memory import MemoryStore
from yieldwire.stores.sqlite import SQLiteStore
from yieldwire.testing import MovingClock

TIMING: Final = Timing(grace=0.1, sweep_every=100 * SOON, lease=SOON)
EXAMPLES: Final = settings(
    max_examples=int(os.environ.get("UPLOADS", str(amount(4, long=10)))),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


# What files are nested in.


@dataclass
class Plain:
    file: Upload
    more: "list[Node]" = field(default_factory=list)


@dataclass(slots=True)
class Slotted:
    file: Upload


@checked.dataclass
class Checked:
    files: set[Upload]


class Named(NamedTuple):
    name: str
    file: Upload


class Typed(TypedDict, total=False):
    file: Upload


class Many(RootModel[list[Upload]]): ...


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Upload]  # pyright: ignore[reportIncompatibleVariableOverride]


class Node(BaseModel):
    """What it does not name is ignored, files as well."""

    model_config = ConfigDict(arbitrary_types_allowed=True)
    file: Upload | None = None
    plain: Plain | None = None
    slotted: Slotted | None = None
    checked: Checked | None = None
    named: Named | None = None
    typed: Typed | None = None
    many: Many | None = None
    open: Open | None = None
    pair: tuple[Upload, Upload] | None = None
    nested: list[list[Upload]] = []
    by_name: dict[str, list[Upload]] = {}
    frozen: frozenset[Upload] = frozenset()
    queue: deque[Upload] = deque()
    children: "list[Node]" = []


Plain.__pydantic_config__ = ConfigDict()  # type: ignore[attr-defined]
Node.model_rebuild()

Make: TypeAlias = Callable[[Path], Any]
"""Makes an input, each time of new files, those on disk in a folder."""

_numbers: Final = count()


def bytes_of(_: Path) -> BytesIO:
    return BytesIO(b"%d" % next(_numbers))


def path_of(folder: Path) -> Path:
    path = folder / f"file {next(_numbers)}"
    path.write_bytes(path.name.encode())
    return path


def upload_of(folder: Path) -> Upload:
    path = path_of(folder)
    return Upload(path.open("rb"), filename=path.name)


files: Final = st.sampled_from([bytes_of, path_of, upload_of])


def built(make: Any, folder: Path) -> Any:  # noqa: ANN401 - any shape
    if callable(make):
        return make(folder)
    if isinstance(make, dict):
        return {name: built(part, folder) for name, part in make.items()}
    if isinstance(make, list):
        return [built(part, folder) for part in make]
    return make


def instance_of(kind: type[Any], *, is_list: bool = False) -> Make:
    def make(folder: Path) -> Any:  # noqa: ANN401 - an instance of any kind
        upload = upload_of(folder)
        return kind([upload]) if is_list else kind(file=upload)

    return make


def nodes(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    lists = st.lists(files, max_size=2)
    plain = st.fixed_dictionaries(
        {"file": files}, optional={"more": st.lists(children, max_size=2)}
    )
    return st.fixed_dictionaries(
        {},
        optional={
            "file": files,
            "plain": plain | st.just(instance_of(Plain)),
            "slotted": st.fixed_dictionaries({"file": files}) | st.just(instance_of(Slotted)),
            "checked": st.fixed_dictionaries({"files": lists}),
            "named": st.tuples(st.just("a"), files).map(list),
            "typed": st.fixed_dictionaries({}, optional={"file": files}),
            "many": lists | st.just(instance_of(Many, is_list=True)),
            "open": st.dictionaries(st.sampled_from("ab"), files),
            "pair": st.lists(files, min_size=2, max_size=2),
            "nested": st.lists(lists, max_size=2),
            "by_name": st.dictionaries(st.sampled_from("ab"), lists, max_size=2),
            "frozen": lists,
            "queue": lists,
            "children": st.lists(children | st.just(instance_of(Node)), max_size=2),
            "ignored": st.just(upload_of) | st.just([upload_of]),
        },
    )


trees: Final = st.recursive(st.fixed_dictionaries({"file": files}), nodes, max_leaves=6)


# Where they are taken.


ENDS, HANGS, FAILS = range(3)


@dataclass(kw_only=True)
class World:
    """A folder, the store in it, and what was given to the application over it."""

    folder: Path
    outlives: bool
    given: list[Upload] = field(default_factory=list)
    taken: list[Upload] = field(default_factory=list)
    refuses: bool = False
    clock: MovingClock = field(default_factory=MovingClock)

    def store(self) -> RunStore:
        if self.outlives:
            return SQLiteStore(self.folder / "runs.db", clock=self.clock)
        return MemoryStore(clock=self.clock)

    def app(self, store: RunStore | None = None) -> "tuple[App, Start]":
        app = App(
            store=store or self.store(),
            timing=TIMING,
            run_limits=RunLimits(store_patience=0.0),
            guards=[self.guard],
            clock=self.clock,
        )

        @app.action(concurrency=1, retries=1)
        async def take(n: int, node: Node) -> AsyncIterator[int]:
            for upload in uploads_in(node):
                self.taken.append(upload)
                assert await upload.read()
            yield n
            if n == FAILS:
                raise ValueError("no")
            if n == HANGS:
                await asyncio.Event().wait()

        async def start(data: Mapping[str, Any], key: str | None = None) -> Run[Any]:
            return await app.start(take, data, owner="ada", key=key)

        return app, start

    async def guard(self, ctx: Context) -> None:
        if self.refuses:
            raise Forbidden

    def data(self, tree: Any, n: object = ENDS) -> dict[str, Any]:  # noqa: ANN401 - a tree
        data = {"node": built(tree, self.folder), "n": n}
        self.given += uploads_in(data)
        return data

    def kept(self) -> list[str]:
        """Return what is under the store's folder for files, path by path."""
        root = self.folder / "runs.db-files"
        return [str(path.relative_to(root)) for path in root.rglob("*")]

    def check(self) -> None:
        """Fail unless everything is closed and nothing is kept."""
        assert [upload for upload in (*self.given, *self.taken) if not upload.file.closed] == []
        assert self.kept() == []
        ours, database = str(self.folder), str(self.folder / "runs.db")
        opened = {path for path in open_files() if path.startswith(ours)}
        # An application that is open has its database open.
        assert {path for path in opened if not path.startswith(database)} == set()
        assert {path for path in opened if path.startswith(database + "-files")} == set()


Start: TypeAlias = Callable[..., Coroutine[Any, Any, Run[Any]]]
Way: TypeAlias = Callable[[World, Any], Awaitable[None]]


def play(outlives: bool, story: Callable[[World], Awaitable[None]]) -> None:  # noqa: FBT001
    async def whole(world: World) -> None:
        async with asyncio.timeout(2 * SOON):
            await story(world)
        world.check()

    with TemporaryDirectory() as folder:
        asyncio.run(whole(World(folder=Path(folder).resolve(), outlives=outlives)))


async def end_of(run: Run[Any]) -> None:
    async for _ in run.events():
        pass


async def end_everything(world: World) -> None:
    """Open an application over what another has left, end its runs and forget them."""
    if not world.outlives:
        return
    app, _ = world.app()
    await app.open()
    world.clock.advance(2 * TIMING.lease)
    await app.sweep()
    for run in await app.find(Query(everyone=True)):
        await app.cancel(run.id)
        await end_of(await app.runs.get(run.id))
        await app.delete(run.id)
    await app.close()


# The ways of a run. Each leaves nothing when its application has closed.


async def ends(world: World, tree: Any) -> None:  # noqa: ANN401 - a tree
    app, start = world.app()
    for n in (ENDS, FAILS):
        await end_of(await start(world.data(tree, n)))
    await app.close()


async def is_cancelled(world: World, tree: Any) -> None:  # noqa: ANN401 - a tree
    app, start = world.app()
    run = await start(world.data(tree, HANGS))
    await first_chunk(run)
    await run.cancel()
    await end_of(run)
    pending = await start(world.data(tree))
    await pending.cancel()
    await end_of(pending)
    await app.close()


async def is_purged(world: World, tree: Any) -> None:  # noqa: ANN401 - a tree
    app, start = world.app()
    run = await start(world.data(tree))
    await end_of(run)
    await app.delete(run.id)
    await app.close()


async def is_invalid(world: World, tree: Any) -> None:  # noqa: ANN401 - a tree
    app, start = world.app()
    for data in (
        world.data(tree, "no number"),
        {**world.data(tree), "unknown": world.data(tree)},
        {"node": [world.data(tree)], "n": ENDS},
    ):
        with pytest.raises(ValidationFailed):
            await start(data)
    world.check()
    await app.close()


async def is_refused(world: World, tree: Any) -> None:  # noqa: ANN401 - a tree
    app, start = world.app()
    world.refuses = True
    with pytest.raises(Forbidden):
        await start(world.data(tree))
    world.refuses = False
    with pytest.raises(ParseError):
        await app.start(app.registry.action_named("take"), world.data(tree), key="short")
    world.check()
    run = await start(world.data({}, HANGS))
    with pytest.raises(RateLimited):
        await start(world.data(tree))
    world.check()
    await run.cancel()
    await end_of(run)
    await app.close()


async def has_a_known_key(world: World, tree: Any) -> None:  # noqa: ANN401 - a tree
    app, start = world.app()
    run = await start(world.data({}, HANGS), key="k")
    again = await start(world.data({}, HANGS), key="k")
    with pytest.raises(KeyReused):
        await start(world.data(tree, ENDS), key="k")
    world.check()
    await run.cancel()
    await end_of(run)
    assert again.id == run.id
    await app.close()


WAYS: Final = [ends, is_cancelled, is_purged, is_invalid, is_refused, has_a_known_key]


@pytest.mark.parametrize("outlives", [False, True], ids=["memory", "sqlite"])
@pytest.mark.parametrize("way", WAYS)
def test_a_way_out_leaves_no_file_and_no_descriptor(way: Way, *, outlives: bool) -> None:
    @EXAMPLES
    @given(trees)
    def search(tree: Any) -> None:  # noqa: ANN401 - a tree
        play(outlives, lambda world: way(world, tree))

    search()


@pytest.mark.parametrize("outlives", [False, True], ids=["memory", "sqlite"])
def test_a_close_and_a_restart_leave_no_file_and_no_descriptor(*, outlives: bool) -> None:
    async def story(world: World, tree: Any) -> None:  # noqa: ANN401 - a tree
        app, start = world.app()
        run = await start(world.data(tree, HANGS))
        await first_chunk(run)
        await app.close()
        assert all(upload.file.closed for upload in world.given)
        if not outlives:
            return
        before = len(world.taken)
        app, _ = world.app()
        await app.open()
        world.clock.advance(2 * TIMING.lease)
        await app.sweep()  # the next attempt reads the same files
        await attempted(app, run.id, 2)
        assert len(world.taken) == 2 * before
        await app.close()
        await end_everything(world)

    @EXAMPLES
    @given(trees)
    def search(tree: Any) -> None:  # noqa: ANN401 - a tree
        play(outlives, lambda world: story(world, tree))

    search()


async def attempted(app: App, run_id: str, attempt: int) -> None:
    """Return when an attempt has written its chunk, behind those before it and their restarts."""
    run = await app.store.get(run_id)
    while run.attempt < attempt or run.seq < 2 * attempt - 1:
        await app.store.read(run_id, run.seq, wait=SOON)
        run = await app.store.get(run_id)


# Cancelled at each await.


class CancelledAt:
    """Awaits a coroutine, and cancels the task in which it does at some of its awaits."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], places: set[int]) -> None:
        self._coroutine, self._places = coroutine, places
        self.awaits = 0

    def __await__(self) -> Generator[Any, Any, Any]:
        step: Callable[[], Any] = lambda: self._coroutine.send(None)  # noqa: E731
        while True:
            try:
                waits_for = step()
            except StopIteration as done:
                return done.value
            self.awaits += 1
            if self.awaits in self._places:
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            try:
                yield waits_for
            except BaseException as exc:  # noqa: BLE001 - passed on
                caught = exc
                step = lambda: self._coroutine.throw(caught)  # noqa: E731, B023
            else:
                step = lambda: self._coroutine.send(None)  # noqa: E731


@pytest.mark.parametrize("outlives", [False, True], ids=["memory", "sqlite"])
@pytest.mark.parametrize("key", [None, "k"])
def test_a_start_that_is_cancelled_anywhere_leaves_no_file_and_no_descriptor(
    key: str | None, *, outlives: bool
) -> None:
    async def story(world: World, tree: Any, places: set[int], pauses: int) -> None:  # noqa: ANN401
        app, start = world.app()

        async def wait() -> None:
            await CancelledAt(start(world.data(tree, HANGS), key), places)

        task = asyncio.ensure_future(wait())  # noqa: TID251 - it cancels itself
        await asyncio.wait({task})
        for _ in range(pauses):
            await asyncio.sleep(0)
        await app.close()
        assert all(upload.file.closed for upload in world.given)
        await end_everything(world)

    @EXAMPLES
    @given(trees, st.sets(st.integers(1, 9), min_size=1, max_size=3), st.integers(0, 3))
    def search(tree: Any, places: set[int], pauses: int) -> None:  # noqa: ANN401 - a tree
        play(outlives, lambda world: story(world, tree, places, pauses))

    search()


# The store fails at each call.


class FailingStore:
    """A store of which some calls fail, before or after they are carried out."""

    def __init__(self, store: RunStore, failures: Mapping[int, bool]) -> None:
        self._store, self._failures = store, failures
        self._calls = count()
        self.is_repaired = False

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - any of a store's
        method = getattr(self._store, name)
        if not iscoroutinefunction(method) or name in {"close", "wait", "read"}:
            return method

        async def call(*args: Any, **named: Any) -> Any:  # noqa: ANN401 - a store's own
            is_carried_out = None if self.is_repaired else self._failures.get(next(self._calls))
            if is_carried_out is False:
                raise StoreError("The disk is full.")
            result = await method(*args, **named)
            if is_carried_out:
                raise StoreError("The disk is full.")
            return result

        return call


@pytest.mark.parametrize("outlives", [False, True], ids=["memory", "sqlite"])
def test_a_store_that_fails_at_any_call_leaves_no_file_and_no_descriptor(*, outlives: bool) -> None:
    async def story(world: World, tree: Any, failures: Mapping[int, bool]) -> None:  # noqa: ANN401
        store: Any = FailingStore(world.store(), failures)
        app, start = world.app(store)
        with suppress(YieldwireError):
            run = await start(world.data(tree))
            await cast("Any", app).lifetime.current.worker._runs.wait(SOON)  # noqa: SLF001 - it can hang
            await app.delete(run.id)
        store.is_repaired = True
        await app.close()
        assert all(upload.file.closed for upload in world.given)
        await end_everything(world)

    @EXAMPLES
    @given(trees, st.dictionaries(st.integers(0, 8), st.booleans(), min_size=1, max_size=3))
    def search(tree: Any, failures: Mapping[int, bool]) -> None:  # noqa: ANN401 - a tree
        play(outlives, lambda world: story(world, tree, failures))

    search()


# Killed.


@pytest.mark.parametrize("by_name", [True, False], ids=["delete", "retention"])
async def test_files_that_another_process_left_go_with_the_purge(
    tmp_path: Path, *, by_name: bool
) -> None:
    world = World(folder=tmp_path, outlives=True)
    app, start = world.app()
    run = await start({"n": ENDS, "node": {"file": BytesIO(b"a")}})
    await end_of(run)
    await app.close()
    app, _ = world.app()
    await app.open()
    left = tmp_path / "runs.db-files" / run.id
    left.mkdir()  # as by a process that was killed when it had written the end
    (left / "file").write_bytes(b"a")

    if by_name:
        await app.delete(run.id)
    else:
        world.clock.advance(3601)
        await app.sweep()

    world.check()
    await app.close()


class Later(SystemClock):
    """The machine's clock, after a while."""

    def monotonic(self) -> float:
        return super().monotonic() + 60.0


@pytest.mark.parametrize("point", POINTS)
async def test_a_process_that_is_killed_leaves_files_only_until_nobody_needs_them(
    point: str, tmp_path: Path
) -> None:
    path, clock, taken = tmp_path / "runs.db", Later(), list[object]()
    killed = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.crashing", str(path), point, cwd=ROOT
    )
    assert await killed.wait() == -signal.SIGKILL
    world = World(folder=tmp_path, outlives=True)
    was_kept = world.kept()

    app = App(store=SQLiteStore(path, clock=clock), timing=TIMING, clock=clock)
    app.action(retries=1)(take)
    await app.open()
    if point in {"half", "kept", "ended"}:
        world.check()
    await app.sweep()
    for run in await app.find(Query(everyone=True)):
        taken += [event.value async for event in (await app.runs.get(run.id)).events()]
    await app.close()

    assert was_kept != []
    assert (True in taken) == (point in {"created", "running", "ended"})
    world.check()
