"""What the messages of the Model Context Protocol say, and what is refused."""

from collections.abc import Mapping
from typing import Any, Final

import pytest
from pydantic_core import from_json

from tests.support.calls import post
from yieldwire.asgi.exchange import Exchange
from yieldwire.clock import Timing
from yieldwire.dialects.head import Head
from yieldwire.dialects.mcpwire import (
    AgentMessage,
    EventPlace,
    RPCFault,
    asks_people,
    fault_of,
    fault_reply,
    header_of,
    new_session,
)
from yieldwire.errors import ErrorObject, ParseError

META = "io.modelcontextprotocol/"
STATELESS: Final[dict[str, Any]] = {
    "_meta": {
        f"{META}protocolVersion": "2026-07-28",
        f"{META}clientCapabilities": {
            "elicitation": {"form": {}},
            "extensions": {f"{META}tasks": {}},
        },
    }
}
MODERN = {"mcp-protocol-version": "2026-07-28", "mcp-method": "ping"}


async def _never(*_: object) -> Any:  # noqa: ANN401 - an ASGI callable
    raise AssertionError


def read(said: object, headers: Mapping[str, str] | None = None) -> AgentMessage:
    scope = post("/mcp", {}, list((headers or {}).items())).scope()
    stall = Timing().stall_timeout
    return AgentMessage.read(Head(Exchange(scope, _never, _never, stall_timeout=stall)), said)


def request(method: str = "ping", **params: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}


def test_a_client_of_2025_is_known_by_its_session() -> None:
    session = new_session({"elicitation": {}})
    headers = {"mcp-protocol-version": "2025-11-25", "mcp-session-id": session}

    asked = read(request(_meta={"progressToken": "p"}), headers)

    assert (asked.id, asked.method, asked.is_request, asked.token) == (7, "ping", True, "p")
    assert (asked.session, asked.asks_people, asked.is_stateless) == (session, True, False)


def test_a_client_of_2026_says_what_it_is_with_each_request() -> None:
    asked = read(request(**STATELESS), MODERN)

    assert (asked.is_stateless, asked.asks_people, asked.takes_tasks) == (True, True, True)


@pytest.mark.parametrize(
    "said",
    [
        [request()],
        {"id": 1, "method": "ping"},
        {**request(), "method": 5},
        {**request(), "params": []},
        {**request(), "id": True},
        {"jsonrpc": "2.0"},
    ],
)
def test_what_is_not_a_message_is_refused(said: object) -> None:
    with pytest.raises(RPCFault, match="Send one JSON-RPC"):
        read(said)


@pytest.mark.parametrize(
    ("params", "headers", "number"),
    [
        ({"_meta": {}}, MODERN, -32602),
        (STATELESS, {}, -32020),
        (STATELESS, {**MODERN, "mcp-method": "tools/list"}, -32020),
        ({}, {"mcp-protocol-version": "2024-01-01"}, -32022),
        ({}, MODERN, -32602),
        (
            {"_meta": {**STATELESS["_meta"], f"{META}protocolVersion": "2030-01-01"}},
            {**MODERN, "mcp-protocol-version": "2030-01-01"},
            -32022,
        ),
    ],
)
def test_a_request_that_contradicts_itself_or_is_of_another_version_is_refused(
    params: dict[str, Any], headers: dict[str, str], number: int
) -> None:
    with pytest.raises(RPCFault) as refused:
        read(request(**params), headers)

    assert refused.value.number == number


@pytest.mark.parametrize("sent", ["hello", "=?base64?aGVsbG8=?=", "=?base64?w6TDtg==?="])
def test_the_name_in_the_header_is_that_in_the_message(sent: str) -> None:
    named = "äö" if "w6" in sent else "hello"
    headers = {**MODERN, "mcp-method": "tools/call", "mcp-name": sent}

    asked = read(request("tools/call", name=named, **STATELESS), headers)

    assert asked.text("name") == named


@pytest.mark.parametrize(
    "sent", ["other", "", "=?base64?b3RoZXI=?=", "=?base64?#?=", "=?base64?/w==?="]
)
def test_a_name_that_differs_from_the_header_is_refused(sent: str) -> None:
    headers = {**MODERN, "mcp-method": "tools/call", "mcp-name": sent}

    with pytest.raises(RPCFault, match="mcp-name differs"):
        read(request("tools/call", name="hello", **STATELESS), headers)


def test_a_header_says_what_a_message_names() -> None:
    message = request("resources/read", uri="yieldwire://runs/ä", **STATELESS)
    headers = {**MODERN, "mcp-method": "resources/read", "mcp-name": header_of(message)}

    assert read(message, headers).text("uri") == "yieldwire://runs/ä"
    assert header_of(request()) == header_of({"method": "x", "params": []}) == ""


def test_a_session_that_is_not_ours_says_nothing() -> None:
    assert read(request(), {"mcp-session-id": "theirs"}).session == ""


def test_a_response_is_read_with_its_result() -> None:
    asked = read({"jsonrpc": "2.0", "id": "r1/1", "result": {"action": "accept"}})

    assert (asked.is_request, asked.method, asked.params) == (False, "", {"action": "accept"})


def test_a_parameter_of_another_type_is_refused() -> None:
    asked = read(request(name=5, arguments=[]))

    with pytest.raises(RPCFault, match="needs name, a text"):
        asked.text("name")
    with pytest.raises(RPCFault, match="takes arguments as an object"):
        asked.object("arguments")


def test_a_label_is_of_one_request_of_one_session() -> None:
    one = read(request(), {"mcp-session-id": new_session({})})
    other = read(request(), {"mcp-session-id": new_session({})})

    assert one.label(7) == one.label(7)
    assert len({one.label(7), one.label("7"), other.label(7)}) == 3


@pytest.mark.parametrize(
    ("capabilities", "can"),
    [
        ({"elicitation": {}}, True),
        ({"elicitation": {"url": {}}}, False),
        ({}, False),
        (None, False),
    ],
)
def test_only_a_client_with_forms_asks_people(capabilities: object, can: bool) -> None:  # noqa: FBT001 - a case
    assert asks_people(capabilities) is can


def test_errors_have_the_numbers_of_the_protocol_and_no_text_of_ours() -> None:
    fault = fault_of(ErrorObject(code="INTERNAL_ERROR", message="Wrong.", error_id="e1"))

    told = from_json(fault_reply(fault, 7).body)

    data = {"code": "INTERNAL_ERROR", "errorId": "e1"}
    error = {"code": -32603, "message": "Wrong.", "data": data}
    assert told == {"jsonrpc": "2.0", "id": 7, "error": error}


def test_a_client_of_2025_reads_errors_of_a_request_in_a_successful_answer() -> None:
    fault = RPCFault(-32601, "There is no such method.")

    assert read(request()).refused(fault).status == 200
    assert read(request(**STATELESS), MODERN).refused(fault).status == 404


@pytest.mark.parametrize("id_", [7, "seven", None])
def test_a_stream_is_resumed_with_the_id_of_an_event(id_: str | int | None) -> None:
    place = EventPlace(run_id="r1", id=id_, token="p", is_task=True, asks_people=True)

    parsed = EventPlace.parse(f"r1.5~{place.context()}")

    assert parsed == EventPlace(
        run_id="r1", after=5, id=id_, token="p", is_task=True, asks_people=True
    )


@pytest.mark.parametrize(
    "text", ["r1.5", "r1.5~", "r1.5~e30", "r1.5~###", "r1.5~WzEsMSwxLDFd", "x~e30"]
)
def test_an_id_that_is_not_of_an_event_is_refused(text: str) -> None:
    with pytest.raises(ParseError):
        EventPlace.parse(text)
