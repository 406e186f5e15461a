"""Types as JSON Schema, matching the wire."""

import re

from pydantic import MISSING
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema


class WireSchema(GenerateJsonSchema):
    """Describes a type as it is on the wire.

    In Pydantic a field with a default is optional, which is true for senders; receivers always
    get it. And Pydantic's bytes are binary, but they are text in JSON: only a file is binary.
    """

    def field_is_required(
        self,
        field: core_schema.ModelField | core_schema.DataclassField | core_schema.TypedDictField,
        total: bool,  # noqa: FBT001 - Pydantic's own signature
    ) -> bool:
        """Return whether the field is in every object that is sent."""
        if self.mode == "validation" or field["type"] == "typed-dict-field":
            return super().field_is_required(field, total)  # in a dict nothing fills in defaults
        never_left_out = field.get("serialization_exclude_if") is None
        return never_left_out and field["schema"].get("default") is not MISSING

    def named_tuple_schema(self, schema: core_schema.NamedTupleSchema) -> JsonSchemaValue:
        """Return a named tuple's schema; all of its items are always sent."""
        described = super().named_tuple_schema(schema)
        if self.mode == "serialization":
            described["minItems"] = described["maxItems"]
        return described

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        """Return the schema of a decimal number, whose text has a format."""
        described = super().decimal_schema(schema)
        for one in (described, *described.get("anyOf", ())):
            if one.get("type") == "string":
                one["format"] = "decimal"  # as in OpenAPI's registry of formats
        return described

    def bytes_schema(self, schema: core_schema.BytesSchema) -> JsonSchemaValue:
        """Return the schema of bytes, which are a string."""
        described = super().bytes_schema(schema)
        return {key: value for key, value in described.items() if value != "binary"}


def reason_of(exc: Exception) -> str:
    """Return the first sentence of a Pydantic error."""
    first = str(exc).partition("\n")[0]
    return re.split(r"\. (?=[A-Z])", first)[0].rstrip(".") or type(exc).__name__
