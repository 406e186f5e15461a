"""A run's question in words: what it asks, the command that answers it, and its answer."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, TypeAlias

from pydantic_core import to_json

from yieldwire.cli.argument import kind_of, parameters_of
from yieldwire.describe.schema import (
    Field,
    Schema,
    definitions_of,
    form_of,
    kinds,
    properties_of,
    resolved,
)
from yieldwire.errors import Json

AskedQuestion: TypeAlias = Mapping[str, Json]
"""The data of a ``question`` event, and a question in a snapshot."""

LONGEST_ANSWER: Final = 200
"""The maximum length of an answer that is shown."""

_SAMPLES: Final = {"boolean": "yes", "integer": "1", "number": "1.5", "null": "null"}


def described(question: AskedQuestion) -> Iterator[str]:
    """Yield the lines that show a question."""
    yield f"Question {question['id']}: {question.get('prompt', '')}"
    detail = question.get("detail")
    if detail is not None:
        text = detail if isinstance(detail, str) else to_json(detail, indent=2).decode()
        yield from (f"  {line}" for line in text.splitlines())
    if expires := question.get("expiresAt"):
        yield f"  Answer it before {_time(expires)}."


def described_answer(answer: Mapping[str, Json]) -> str:
    """Return the line that shows how a question was closed."""
    head = f"Question {answer.get('id', '')}"
    value = f": {_shown(answer['value'])}" if "value" in answer else "."
    if answer.get("timedOut"):
        what = "which takes the default" if "value" in answer else "which has no answer"
        return f"{head} was not answered in time, {what}{value}"
    by = f" by {answer['by']}" if answer.get("by") is not None else ""
    return f"{head} was answered{by}{value}"


def parts_of(schema: Schema) -> str:
    """Return what an answer consists of, on one line."""
    return parameters_of(form_of(schema)) or kind_of(schema, definitions_of(schema))


def command_for(question: AskedQuestion, url: str, run_id: str) -> str:
    """Return an example of the command that answers a question."""
    words = ["yieldwire", "answer", url, run_id, str(question["id"])]
    return shlex.join([*words, *_sample(question.get("schema", {}))])


def _sample(schema: Schema) -> Sequence[str]:
    definitions, fields = definitions_of(schema), properties_of(schema)
    if not fields:
        return [_sample_text(Field.of(schema, definitions))]
    needed: Sequence[str] = resolved(schema, definitions).get("required") or list(fields)
    return [f"{name}={_sample_text(Field.of(fields[name], definitions))}" for name in needed]


def _sample_text(field: Field) -> str:
    if field.takes_file:
        return "@path"
    for one in field.every:
        for value in one.get("enum", [one["const"]] if "const" in one else []):
            return value if isinstance(value, str) else to_json(value).decode()
    found = [kind for one in field.every for kind in kinds(one)]
    return _SAMPLES.get(found[0], "...") if found else "..."


def _time(text: str) -> str:
    try:
        return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    except ValueError:
        return text


def _shown(value: Json) -> str:
    text = to_json(value).decode()
    return text if len(text) <= LONGEST_ANSWER else f"{text[:LONGEST_ANSWER]}…"
