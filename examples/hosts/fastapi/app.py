"""Notes in FastAPI: a sign-in, a table, an import with progress and a chat about the notes.

yieldwire dev app.py        # with OPENAI_API_KEY for the chat
"""

import os
from collections.abc import AsyncIterator, Generator
from pathlib import Path
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import FileResponse
from openai import AsyncOpenAI
from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from starlette.middleware.sessions import SessionMiddleware

from yieldwire import Actions, Progress
from yieldwire.ai import Chunk
from yieldwire.ai.openai import chat_chunks
from yieldwire.integrations.fastapi import mount

engine = create_engine(os.environ.get("DATABASE", "sqlite:///notes.db"))
app = FastAPI(title="Notes")
app.add_middleware(SessionMiddleware, secret_key=os.environ.get("SECRET", "for this example"))
actions = Actions()


class Base(DeclarativeBase):
    """The tables."""


class Note(Base):
    """One note of a user."""

    __tablename__ = "notes"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str]
    text: Mapped[str]


Base.metadata.create_all(engine)


def current_user(request: Request) -> str:
    """Return who is signed in."""
    if "user" not in request.session:
        raise HTTPException(401, "Sign in first.")
    return str(request.session["user"])


User = Annotated[str, Depends(current_user)]


def notes_of(user: User) -> list[str]:
    """Return the notes of the user; the session is closed before an action runs."""
    with Session(engine) as session:
        return list(session.scalars(select(Note.text).where(Note.owner == user)))


@actions.action
def import_notes(lines: list[str], user: User) -> Generator[Progress, None, int]:
    """Add a note for each line."""
    for number, line in enumerate(lines, 1):
        with Session(engine) as session, session.begin():
            session.add(Note(owner=user, text=line))
        yield Progress(number, total=len(lines))
    return len(lines)


@actions.action
async def chat(
    question: str, notes: Annotated[list[str], Depends(notes_of)]
) -> AsyncIterator[Chunk]:
    """Answer a question about the user's notes."""
    content = "\n".join([*notes, question])
    async with AsyncOpenAI() as model:
        answer = await model.chat.completions.create(
            model="gpt-5.6-luna", messages=[{"role": "user", "content": content}], stream=True
        )
        async for chunk in chat_chunks(answer):
            yield chunk


mount(app, actions, identify=current_user)


@app.post("/sign-in/{name}")
def sign_in(name: str, request: Request) -> str:
    """Sign in without a password; replace it by your own."""
    request.session["user"] = name
    return name


@app.get("/notes")
def list_notes(notes: Annotated[list[str], Depends(notes_of)]) -> list[str]:
    """Return the notes of the user."""
    return notes


@app.get("/", include_in_schema=False)
def page() -> FileResponse:
    """Return the page."""
    return FileResponse(Path(__file__).parents[1] / "page.html")
