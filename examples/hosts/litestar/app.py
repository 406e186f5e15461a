"""Notes in Litestar: a sign-in, a table, an import with progress and a chat about the notes.

yieldwire dev app.py        # with OPENAI_API_KEY for the chat
"""

import os
from collections.abc import AsyncIterator, Generator
from pathlib import Path
from typing import Any

from litestar import Litestar, Request, get, post
from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException
from litestar.middleware.session.client_side import CookieBackendConfig
from litestar.params import FromPath
from litestar.response import File
from openai import AsyncOpenAI
from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from yieldwire import Actions, Context, Progress
from yieldwire.ai import Chunk
from yieldwire.ai.openai import chat_chunks
from yieldwire.integrations.litestar import ActionsPlugin

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


def current_user(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    """Return who is signed in."""
    if "user" not in connection.session:
        raise NotAuthorizedException
    return str(connection.session["user"])


actions = Actions()


@actions.action
def import_notes(ctx: Context, lines: list[str]) -> Generator[Progress, None, int]:
    """Add a note for each line."""
    for number, line in enumerate(lines, 1):
        with Session(engine) as session, session.begin():
            session.add(Note(owner=ctx.owner or "", text=line))
        yield Progress(number, total=len(lines))
    return len(lines)


@actions.action
async def chat(ctx: Context, question: str) -> AsyncIterator[Chunk]:
    """Answer a question about the user's notes."""
    with Session(engine) as session:
        notes = list(session.scalars(select(Note.text).where(Note.owner == ctx.owner)))
    content = "\n".join([*notes, question])
    async with AsyncOpenAI() as model:
        answer = await model.chat.completions.create(
            model="gpt-5.6-luna", messages=[{"role": "user", "content": content}], stream=True
        )
        async for chunk in chat_chunks(answer):
            yield chunk


@post("/sign-in/{name:str}", sync_to_thread=False)
def sign_in(name: FromPath[str], request: Request[Any, Any, Any]) -> str:
    """Sign in without a password; replace it by your own."""
    request.set_session({"user": name})
    return name


@get("/", sync_to_thread=False)
def page() -> File:
    """Return the page."""
    path = Path(__file__).parents[1] / "page.html"
    return File(path, media_type="text/html", content_disposition_type="inline")


sessions = CookieBackendConfig(secret=os.environ.get("SECRET", "sixteen letters.").encode())
plugin = ActionsPlugin(actions, identify=current_user)
app = Litestar([page, sign_in], plugins=[plugin], middleware=[sessions.middleware])
