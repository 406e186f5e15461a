"""Turns an action's function into events, whatever its shape."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial
from typing import Any, Final, TypeAlias

from yieldwire.actions.context import Context
from yieldwire.actions.resource import value_of
from yieldwire.actions.schema import Signature
from yieldwire.actions.shape import Shape
from yieldwire.actions.stream import Stream, StreamableValue
from yieldwire.executors import Work
from yieldwire.executors.stepper import Stepped
from yieldwire.executors.thread import run_blocking
from yieldwire.executors.writer import LogWriter

Invoke: TypeAlias = Callable[..., Any]
"""Calls the action's function with its arguments and the injected values."""


def drive(work: Work, context: Callable[[], Context], writer: LogWriter) -> Awaitable[object]:
    """Run an action to its end, and return its result; every chunk goes to the writer.

    Args:
        work: The action and its arguments.
        context: Returns the attempt's context; called only if the function takes something of it.
        writer: Takes the chunks.

    Raises:
        BaseException: Any error of the action.
    """
    signature = work.action.signature
    call: Invoke = partial(work.action.function, **work.arguments)
    if signature.injected or signature.resources or signature.dependencies:
        call = partial(_inject, signature, call, context())
    running = _DRIVERS[signature.shape](call, writer)
    return running if signature.shape.is_blocking else Stepped(running, writer)


def _inject(signature: Signature, call: Invoke, ctx: Context, /, **injected: object) -> Any:  # noqa: ANN401 - any result of the function
    kinds: Mapping[type, object] = {
        Context: ctx,
        **{type(value): value for value in injected.values()},
    }
    extra = {name: kinds[kind] for name, kind in signature.injected.items()}
    for name, resource in signature.resources.items():
        extra[name] = value_of(resource, ctx.opened)
    for name, dependency in signature.dependencies.items():
        extra[name] = dependency.read(ctx.dependencies)
    return call(**extra)


def _drive_async_generator(call: Invoke, writer: LogWriter) -> Coroutine[Any, Any, object]:
    return writer.put_all(call())


async def _drive_stream(call: Invoke, writer: LogWriter) -> object:
    stream = Stream[Any](writer)
    try:
        return await call(stream=stream)
    finally:
        stream.close()


async def _drive_value(call: Invoke, writer: LogWriter) -> object:
    value = StreamableValue[Any](writer)
    await call(value=value)
    if value.failure is not None:
        raise value.failure
    return value.value


async def _drive_async_function(call: Invoke, _writer: LogWriter) -> object:
    return await call()


async def _drive_generator(call: Invoke, writer: LogWriter) -> object:
    return await run_blocking(call, writer, is_generator=True)


async def _drive_function(call: Invoke, writer: LogWriter) -> object:
    return await run_blocking(call, writer, is_generator=False)


_DRIVERS: Final[Mapping[Shape, Callable[[Invoke, LogWriter], Any]]] = {
    Shape.ASYNC_GENERATOR: _drive_async_generator,
    Shape.GENERATOR: _drive_generator,
    Shape.STREAM: _drive_stream,
    Shape.VALUE: _drive_value,
    Shape.ASYNC_FUNCTION: _drive_async_function,
    Shape.FUNCTION: _drive_function,
}
