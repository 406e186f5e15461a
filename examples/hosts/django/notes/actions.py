"""The actions of the app."""

from collections.abc import AsyncIterator, Generator

from openai import AsyncOpenAI

from notes.models import Note
from yieldwire import Actions, Context, Progress, Unauthorized
from yieldwire.ai import Chunk
from yieldwire.ai.openai import chat_chunks


async def signed_in(ctx: Context) -> None:
    """Refuse anonymous callers."""
    if ctx.owner is None:
        raise Unauthorized


actions = Actions(guards=[signed_in])


@actions.action
def import_notes(ctx: Context, lines: list[str]) -> Generator[Progress, None, int]:
    """Add a note for each line."""
    for number, line in enumerate(lines, 1):
        Note.objects.create(owner=ctx.owner, text=line)
        yield Progress(number, total=len(lines))
    return len(lines)


@actions.action
async def chat(ctx: Context, question: str) -> AsyncIterator[Chunk]:
    """Answer a question about the user's notes."""
    notes = [note.text async for note in Note.objects.filter(owner=ctx.owner)]
    content = "\n".join([*notes, question])
    async with AsyncOpenAI() as model:
        answer = await model.chat.completions.create(
            model="gpt-5.6-luna", messages=[{"role": "user", "content": content}], stream=True
        )
        async for chunk in chat_chunks(answer):
            yield chunk
