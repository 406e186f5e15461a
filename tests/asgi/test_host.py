"""A host's answer to a request, as clients of actions read it."""

from typing import Any

import pytest
from pydantic_core import from_json

from yieldwire.asgi.host import HostAnswer


def answer(status: int, body: bytes, kind: bytes = b"application/json") -> HostAnswer:
    headers = [(b"content-type", kind), (b"Content-Length", b"%d" % len(body)), (b"x-own", b"1")]
    half = len(body) // 2
    return HostAnswer(
        [
            {"type": "http.response.start", "status": status, "headers": headers},
            {"type": "http.response.body", "body": body[:half], "more_body": True},
            {"type": "http.response.body", "body": body[half:]},
        ]
    )


@pytest.mark.parametrize(
    ("status", "body", "code", "message"),
    [
        (401, b'{"detail":"Sign in."}', "UNAUTHORIZED", "Sign in."),
        (422, b'{"detail":[{"loc":["query"]}]}', "VALIDATION_ERROR", "Unprocessable"),
        (404, b"{}", "NOT_FOUND", "Not Found"),
        (402, b'{"detail":"Pay."}', "HTTP_ERROR", "Pay."),
        (503, b"not JSON", "HTTP_ERROR", "Service Unavailable"),
    ],
)
def test_an_answer_says_the_same_as_an_error_object(
    status: int, body: bytes, code: str, message: str
) -> None:
    error = answer(status, body).error

    assert (error.code, error.status) == (code, status)
    assert error.message.startswith(message)


def test_an_object_of_json_gets_the_error_as_another_member() -> None:
    head, body = answer(403, b'{"detail":"No.","more":1}').messages()

    told: dict[str, Any] = from_json(body["body"])
    headers = dict(head["headers"])
    assert (told["detail"], told["more"], told["error"]["code"]) == ("No.", 1, "FORBIDDEN")
    assert headers[b"content-length"] == b"%d" % len(body["body"])
    assert headers[b"x-own"] == b"1"
    assert b"Content-Length" not in headers


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (303, b'{"detail":"Sign in."}', b"application/json"),
        (401, b"<h1>Sign in</h1>", b"text/html"),
        (401, b"[1]", b"application/json"),
        (401, b"{", b"application/json"),
    ],
)
def test_any_other_answer_is_passed_on_as_it_is(status: int, body: bytes, kind: bytes) -> None:
    _, sent = answer(status, body, kind).messages()

    assert sent["body"] == body


def test_an_error_object_of_the_host_is_kept() -> None:
    _, sent = answer(401, b'{"error":{"code":"OWN"}}').messages()

    assert from_json(sent["body"]) == {"error": {"code": "OWN"}}
