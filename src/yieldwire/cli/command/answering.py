"""The commands that tell a run something: `answer` and `send`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from yieldwire.cli.argument import is_field, read_value
from yieldwire.cli.command.program import ActiveRunId, AsJson, Header, TokenOption, Url, cli
from yieldwire.cli.display import list_questions
from yieldwire.cli.help import CODES_OF_MESSAGES, VALUES, Command, examples
from yieldwire.cli.outcome import Outcome
from yieldwire.cli.output import show_json
from yieldwire.cli.question import AskedQuestion
from yieldwire.cli.showing import Interrupt, run_until_done
from yieldwire.cli.target import address_of, connect
from yieldwire.client import AsyncClient
from yieldwire.describe.schema import Schema
from yieldwire.errors import NotFound, UsageError


@cli.command(
    cls=Command,
    short_help="Answer a run's question.",
    epilog=examples(
        "yieldwire answer http://127.0.0.1:8000/api/_actions r3kTq0xZb1mVnQ8sLw7Yc",
        "yieldwire answer http://127.0.0.1:8000/api/_actions r3kTq0xZb1mVnQ8sLw7Yc approved=yes",
        "yieldwire answer http://127.0.0.1:8000/api/_actions r3kTq0xZb1mVnQ8sLw7Yc 2 no",
    )
    + VALUES
    + CODES_OF_MESSAGES,
)
def answer(
    url: Url,
    run: ActiveRunId,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=VALUE", help="The question's id, if it is needed; then the answer."
        ),
    ] = None,
    *,
    token: TokenOption = None,
    header: Header = None,
    as_json: AsJson = False,
) -> None:
    """Answer a question of a run, or list the open ones.

    Without an answer it lists the questions that are open, with what their answers consist of. An
    answer with fields is written KEY=VALUE. A single value, such as yes, is written after the id of
    its question, which is also needed if several are open. The first answer to a question counts.
    """
    address = address_of(url, token, header)

    async def work(_interrupt: Interrupt) -> Outcome:
        async with connect(address) as client:
            attached = client.attach(run)
            questions = [{"run": run, **one} for one in await attached.questions()]
            chosen, rest = _chosen(questions, words or [])
            if not rest:
                list_questions(chosen, as_json=as_json)
                return Outcome.COMPLETED
            question = _only(chosen)
            value = read_value(rest, question["schema"])
            accepted = await attached.answer(question["id"], value)
        if as_json:
            show_json(accepted)
        else:
            typer.echo(f"Question {question['id']} is answered.")
        return Outcome.COMPLETED

    raise typer.Exit(run_until_done(work))


@cli.command(
    cls=Command,
    short_help="Send a run a message.",
    epilog=examples(
        "yieldwire send http://127.0.0.1:8000/api/_actions r3kTq0xZb1mVnQ8sLw7Yc text='More green'",
        "yieldwire send http://127.0.0.1:8000/api/_actions r3kTq0xZb1mVnQ8sLw7Yc '{\"page\": 3}'",
    )
    + VALUES
    + CODES_OF_MESSAGES,
)
def send(
    url: Url,
    run: ActiveRunId,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="The message; see below.")
    ] = None,
    *,
    token: TokenOption = None,
    header: Header = None,
    as_json: AsJson = False,
) -> None:
    """Send a message to a run whose action takes messages, and print its number.

    Messages are received in the order of their numbers. A message with fields is written
    KEY=VALUE, or as one word of JSON; a single value is written alone.
    """
    address = address_of(url, token, header)
    if not words:
        raise UsageError("There is no message; write its fields as key=value, or its value.")

    async def work(_interrupt: Interrupt) -> Outcome:
        async with connect(address) as client:
            schema = await _inbox_of(client, run)
            accepted = await client.send(run, read_value(words, schema))
        if as_json:
            show_json(accepted)
        else:
            typer.echo(accepted["number"])
        return Outcome.COMPLETED

    raise typer.Exit(run_until_done(work))


def _chosen(
    questions: Sequence[AskedQuestion], words: Sequence[str]
) -> tuple[Sequence[AskedQuestion], Sequence[str]]:
    """Return the question that the first word names, or all of them, and the other words.

    The first word is never taken for an answer without fields: it could be meant as the id of a
    question that has been answered, and would answer another one.

    Raises:
        NotFound: If the question is not open.
    """
    if not words:
        return questions, words
    named = [one for one in questions if one["id"] == words[0]]
    if named:
        return named, words[1:]
    if not is_field(words[0]):
        raise NotFound(f"No question {words[0]!r} is open; {_open(questions)}.")
    return questions, words


def _only(questions: Sequence[AskedQuestion]) -> AskedQuestion:
    if len(questions) == 1:
        return questions[0]
    if not questions:
        raise NotFound("No question of this run is open; it can have been answered already.")
    raise UsageError(f"Write the id of the question before the answer; {_open(questions)}.")


def _open(questions: Sequence[AskedQuestion]) -> str:
    return f"open: {', '.join(str(question['id']) for question in questions) or 'none'}"


async def _inbox_of(client: AsyncClient, run_id: str) -> Schema:
    """Return the schema of the messages that a run takes; if it is not known, that of any."""
    name = (await client.snapshot(run_id))["action"]
    for action in (await client.manifest())["actions"]:
        if action["name"] == name:
            return action["inbox"] or {}
    return {}
