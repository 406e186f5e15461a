"""Operations on an action's generator other than taking its chunks."""

from collections.abc import AsyncGenerator
from typing import TypeAlias

from yieldwire.errors import UsageError
from yieldwire.errors.debug import at_yield
from yieldwire.log.chunks import Result

Chunks: TypeAlias = AsyncGenerator[object, None]


async def last_word(result: Result[object], chunks: Chunks) -> object:
    """Return the value of a generator's `Result`, once the generator has ended.

    Raises:
        UsageError: If something follows the `Result`.
    """
    async for _ in chunks:
        raise late(chunks)
    return result.value


def late(chunks: object) -> UsageError:
    """Return the error for what a generator yields after its `Result`."""
    error = UsageError("A Result is the last value: nothing can be yielded after it.")
    return at_yield(error, chunks)


async def cancelled_at_yield(chunks: Chunks, exc: BaseException, earlier: Chunks) -> Chunks:
    """Yield what a generator yields when it is cancelled at the `yield` where it is suspended.

    The cancellation, ``exc``, came while its chunks were written. It belongs to what the generator
    has around that `yield`, for example a time limit, as if the generator had waited there itself.
    ``earlier`` is what this function returned for the one before, or the generator itself.
    """
    if earlier is not chunks:
        await earlier.aclose()
    del earlier
    try:
        chunk = await chunks.athrow(exc)
    except StopAsyncIteration:
        return
    yield chunk
    async for chunk in chunks:
        yield chunk
