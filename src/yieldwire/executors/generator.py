"""Operations on an action's generator other than taking its chunks."""

from collections.abc import AsyncGenerator

from yieldwire.errors import UsageError
from yieldwire.errors.debug import at_yield
from yieldwire.log.chunks import Result


async def last_word(result: Result[object], chunks: AsyncGenerator[object, None]) -> object:
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


async def cancelled_at_yield(
    chunks: AsyncGenerator[object, None], cancellation: BaseException
) -> AsyncGenerator[object, None]:
    """Yield what a generator yields when it is cancelled at the `yield` where it is suspended.

    The cancellation came while its chunks were written. It belongs to whatever the generator has
    around that `yield`, for example a time limit, as if the generator itself had waited there.
    """
    try:
        chunk = await chunks.athrow(cancellation)
    except StopAsyncIteration:
        return
    yield chunk
    async for chunk in chunks:
        yield chunk
