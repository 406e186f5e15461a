"""Stream a text word by word, like a model's answer.

A caller that asks for ``text/plain`` reads it as it is written; the developer page and
polling clients see it grow.

    yieldwire dev examples/typewriter.py
    curl -N -H 'Accept: text/plain' -X POST http://127.0.0.1:8000/api/_actions/typewriter
"""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Annotated

from pydantic import Field

from yieldwire import Actions, Text

LETTER = """\
Dear reader,

the ferry leaves at seven, whether the fog has lifted or not. The captain says that she knows
the way by its sounds: the bell on the sandbank, the gulls over the fish market, the echo that
comes back from the lighthouse a little later than from the cliff.

I have counted. From the pier to the island it is four hundred and twelve breaths, and one of
them is always yours, because you hold it when the harbour wall goes by.

Come when you can. The kettle is on.
"""

actions = Actions()


@actions.action
async def typewriter(
    text: Annotated[str, Field(max_length=20_000)] = LETTER,
    speed: Annotated[float, Field(gt=0, le=1000, description="Words per second.")] = 12,
) -> AsyncIterator[Text]:
    """Type a text, word by word."""
    for word in re.findall(r"\s*\S+\s*", text):  # with the spaces around, so that none is lost
        yield Text(word)
        await asyncio.sleep(1 / speed)
