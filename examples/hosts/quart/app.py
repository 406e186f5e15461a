"""Notes in Quart: a sign-in, a table, an import with progress and a chat about the notes.

yieldwire dev app.py        # with OPENAI_API_KEY for the chat
"""

import os
from collections.abc import AsyncIterator, Generator
from pathlib import Path

from openai import AsyncOpenAI
from quart import Quart, Response, abort, send_file, session
from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from yieldwire import Actions, Context, Progress
from yieldwire.ai import Chunk
from yieldwire.ai.openai import chat_chunks
from yieldwire.integrations.quart import mount

engine = create_engine(os.environ.get("DATABASE", "sqlite:///notes.db"))


class Base(DeclarativeBase):
    """The tables."""


class Note(Base):
    """One note of a user."""

    __tablename__ = "notes"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str]
    text: Mapped[str]


Base.metadata.create_all(engine)


def current_user() -> str:
    """Return who is signed in."""
    if "user" not in session:
        abort(401)
    return str(session["user"])


app = Quart(__name__)
app.secret_key = os.environ.get("SECRET", "for this example")
actions = Actions()
mount(app, actions, identify=current_user)


@actions.action
def import_notes(ctx: Context, lines: list[str]) -> Generator[Progress, None, int]:
    """Add a note for each line."""
    for number, line in enumerate(lines, 1):
        with Session(engine) as db, db.begin():
            db.add(Note(owner=ctx.owner or "", text=line))
        yield Progress(number, total=len(lines))
    return len(lines)


@actions.action
async def chat(ctx: Context, question: str) -> AsyncIterator[Chunk]:
    """Answer a question about the user's notes."""
    with Session(engine) as db:
        notes = list(db.scalars(select(Note.text).where(Note.owner == ctx.owner)))
    content = "\n".join([*notes, question])
    async with AsyncOpenAI() as model:
        answer = await model.chat.completions.create(
            model="gpt-5.6-luna", messages=[{"role": "user", "content": content}], stream=True
        )
        async for chunk in chat_chunks(answer):
            yield chunk


@app.post("/sign-in/<name>")
async def sign_in(name: str) -> str:
    """Sign in without a password; replace it by your own."""
    session["user"] = name
    return name


@app.get("/")
async def page() -> Response:
    """Return the page."""
    return await send_file(Path(__file__).parents[1] / "page.html")
