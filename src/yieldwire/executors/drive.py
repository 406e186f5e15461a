"""Turns an action's function into events, whatever its shape."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from yieldwire.actions.context import Context, Stream, StreamableValue
from yieldwire.actions.resource import value_of
from yieldwire.actions.shape import Shape
from yieldwire.executors import Work
from yieldwire.executors.thread import run_blocking
from yieldwire.executors.writer import LogWriter


@dataclass(frozen=True, slots=True, kw_only=True)
class Drive:
    """One attempt's work with everything that it needs, until it returns its result."""

    work: Work
    ctx: Context
    writer: LogWriter

    def run(self) -> Awaitable[object]:
        """Run the action to its end, and return its result; every chunk goes to the writer.

        Raises:
            BaseException: Any error of the action.
        """
        shape = self.work.action.signature.shape
        driver = _DRIVERS[shape]
        return driver(self) if shape.is_blocking else self.writer.run(driver(self))

    def call(self, **injected: object) -> Any:  # noqa: ANN401 - any result of the function
        """Call the action's function with its arguments and the injected values."""
        signature = self.work.action.signature
        if not signature.injected and not signature.resources:
            return self.work.action.function(**self.work.arguments)
        kinds: Mapping[type, object] = {
            Context: self.ctx,
            **{type(value): value for value in injected.values()},
        }
        extra = {name: kinds[kind] for name, kind in signature.injected.items()}
        for name, resource in signature.resources.items():
            extra[name] = value_of(resource, self.ctx.opened)
        return self.work.action.function(**self.work.arguments, **extra)


def _drive_async_generator(drive: Drive) -> Coroutine[Any, Any, object]:
    return drive.writer.put_all(drive.call())


async def _drive_stream(drive: Drive) -> object:
    stream = Stream[Any](drive.writer)
    try:
        return await drive.call(stream=stream)
    finally:
        stream.close()


async def _drive_value(drive: Drive) -> object:
    value = StreamableValue[Any](drive.writer)
    await drive.call(value=value)
    if value.failure is not None:
        raise value.failure
    return value.value


async def _drive_async_function(drive: Drive) -> object:
    return await drive.call()


async def _drive_generator(drive: Drive) -> object:
    return await run_blocking(drive.call, drive.writer, is_generator=True)


async def _drive_function(drive: Drive) -> object:
    return await run_blocking(drive.call, drive.writer, is_generator=False)


_DRIVERS: Mapping[Shape, Callable[[Drive], Any]] = {
    Shape.ASYNC_GENERATOR: _drive_async_generator,
    Shape.GENERATOR: _drive_generator,
    Shape.STREAM: _drive_stream,
    Shape.VALUE: _drive_value,
    Shape.ASYNC_FUNCTION: _drive_async_function,
    Shape.FUNCTION: _drive_function,
}
