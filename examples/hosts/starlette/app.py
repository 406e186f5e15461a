"""Notes in Starlette: a sign-in, a table, an import with progress and a chat about the notes.

yieldwire dev app.py        # with OPENAI_API_KEY for the chat
"""

import os
from collections.abc import AsyncIterator, Generator
from pathlib import Path

from openai import AsyncOpenAI
from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import FileResponse, PlainTextResponse
from starlette.routing import Route

from yieldwire import Actions, Context, Progress, Unauthorized
from yieldwire.ai import Chunk
from yieldwire.ai.openai import chat_chunks
from yieldwire.integrations.starlette import mount

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


def current_user(request: HTTPConnection) -> str:
    """Return who is signed in."""
    if "user" not in request.session:
        raise Unauthorized
    return str(request.session["user"])


actions = Actions(identify=current_user)


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


async def sign_in(request: Request) -> PlainTextResponse:
    """Sign in without a password; replace it by your own."""
    request.session["user"] = request.path_params["name"]
    return PlainTextResponse(request.path_params["name"])


async def page(request: Request) -> FileResponse:
    """Return the page."""
    return FileResponse(Path(__file__).parents[1] / "page.html")


sessions = Middleware(SessionMiddleware, secret_key=os.environ.get("SECRET", "for this example"))
routes = [Route("/", page), Route("/sign-in/{name}", sign_in, methods=["POST"])]
app = Starlette(routes=routes, middleware=[sessions])
mount(app, actions)
