"""What a dialect reads of one request."""

from typing import Any

import pytest

from tests.dialects.test_call import actions, done
from tests.support.calls import JSON, Call, get, post
from yieldwire import Actions
from yieldwire.dialects import ForeignCall

__all__ = ["actions"]


@pytest.mark.parametrize(
    ("call", "read"),
    [
        (get("/?text=hi&times=2"), {"text": "hi", "times": "2"}),
        (post("/", {"text": "hi"}), {"text": "hi"}),
        (post("/"), {}),
        (Call(method="POST", target="/?text=hi"), {"text": "hi"}),
    ],
)
async def test_fields_are_read_from_the_body_or_the_query(
    actions: Actions, call: Call, read: dict[str, Any]
) -> None:
    async def fields(call: ForeignCall) -> object:
        return await call.fields(call.action("say").input_schema)

    assert await done(actions, fields, call) == repr(read)


async def test_json_is_read_strictly(actions: Actions) -> None:
    async def json(call: ForeignCall) -> object:
        return await call.json()

    twice = Call(method="POST", target="/", headers=[JSON], body=[b'{"a":1,"a":2}'])
    empty = Call(method="POST", target="/", headers=[JSON], body=[b""])

    assert (await done(actions, json, twice)).startswith("PARSE_ERROR")
    assert await done(actions, json, empty) == "{}"


async def test_parameters_that_are_the_clients_own_are_not_fields(actions: Actions) -> None:
    async def fields(call: ForeignCall) -> object:
        return await call.fields(call.action("say").input_schema, without=("offset",))

    assert await done(actions, fields, get("/?text=hi&offset=-1")) == "{'text': 'hi'}"
