"""What a person answers who declines to answer, whichever client asked."""

from collections.abc import Mapping
from typing import Final

from yieldwire.describe.schema import Schema, form_of, kinds, properties_of
from yieldwire.errors import Json

_APPROVED: Final = "approved"


def refusal_of(question: Mapping[str, Json]) -> Json:
    """Return the answer of a person who declines; ``None`` if the question has no such answer.

    A yes-or-no question is answered with ``False``, and one about an approval with not approved.
    """
    schema: Schema = question.get("schema") or {}
    if kinds(schema) == ["boolean"]:
        return False
    return {_APPROVED: False} if _APPROVED in properties_of(form_of(schema)) else None
