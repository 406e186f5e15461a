"""Threats 13 and 19: JSON that is none, or that two parsers read differently; names to look up."""

import asyncio
import os
from typing import Final

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.asgi.test_answering import asking, until_asked
from tests.support.calls import JSON, Call, Fields, get, post, send
from tests.support.wire import Answer
from tests.support.world import ALICE, begun, opened, world
from yieldwire import Actions

BODIES: Final = {
    "nothing but a brace": b"{",
    "two values": b'{"value":1}{"value":2}',
    "a comma too many": b'{"value":1,}',
    "a comment": b'{"value":1/**/}',
    "single quotes": b"{'value':1}",
    "a bare key": b"{value:1}",
    "a line break in a string": b'{"value":"\n"}',
    "a nul": b'{"value":"\x00"}',
    "a nul behind": b'{"value":1}\x00',
    "an octal": b'{"value":01}',
    "a plus": b'{"value":+1}',
    "hexadecimal": b'{"value":0x1}',
    "an underscore": b'{"value":1_0}',
    "NaN": b'{"value":NaN}',
    "NaN, deep": b'{"value":[{"a":[NaN]}]}',
    "Infinity": b'{"value":Infinity}',
    "-Infinity": b'{"value":-Infinity}',
    "too large": b'{"value":1e999}',
    "too small": b'{"value":-1e999}',
    "too large, deep": b'{"value":{"a":[1E400]}}',
    "too many digits": b'{"value":%b}' % (b"1" * 5000),
    "too many digits, negative": b'{"value":-%b}' % (b"9" * 100_000),
    "a key twice": b'{"value":1,"value":2}',
    "a key twice, escaped": b'{"value":1,"\\u0076alue":2}',
    "a key twice, deep": b'{"value":[{"a":1,"a":1}]}',
    "a high surrogate": b'{"value":"\\ud800"}',
    "a low surrogate": b'{"value":"\\udc00x"}',
    "surrogates the wrong way": b'{"value":"\\udc00\\ud800"}',
    "a surrogate in a key": b'{"value":{"\\ud800":1}}',
    "a surrogate, deep": b'{"value":[[["\\uD800"]]]}',
    "a surrogate in UTF-8": b'{"value":"\xed\xa0\x80"}',
    "overlong UTF-8": b'{"value":"\xc0\xaf"}',
    "Latin-1": b'{"value":"\xe9"}',
    "a BOM": b'\xef\xbb\xbf{"value":1}',
    "UTF-16": '{"value":1}'.encode("utf-16"),
    "UTF-16 without a BOM": '{"value":1}'.encode("utf-16-le"),
    "UTF-32": '{"value":1}'.encode("utf-32"),
    "33 levels": b'{"value":%b%b}' % (b"[" * 32, b"]" * 32),
    "33 levels of both": b'{"value":%b1%b}' % (b'[{"a":' * 16, b"}]" * 16),
    "very many levels": b'{"value":%b%b}' % (b"[" * 100_000, b"]" * 100_000),
    "levels without an end": b"[" * 100_000,
    "levels behind a string": b'{"a":"]]]]","value":%b' % (b"[" * 40),
    "only space": b"   ",
}


def called(body: bytes, headers: Fields = (JSON,), target: str = "/echo") -> Call:
    return Call(method="POST", target=target, headers=[*headers, *ALICE], body=[body])


@pytest.mark.parametrize("body", BODIES.values(), ids=list(BODIES))
async def test_what_json_cannot_carry_on_is_refused_before_anything_starts(
    site: Actions, body: bytes
) -> None:
    answer = await send(site, called(body))

    assert (answer.status, answer.json()["error"]["code"]) == (400, "PARSE_ERROR")
    assert (await send(site, get("/runs", ALICE))).json()["runs"] == []


@pytest.mark.parametrize("body", BODIES.values(), ids=list(BODIES))
async def test_a_refusal_says_nothing_of_how_the_body_was_read(site: Actions, body: bytes) -> None:
    message = (await send(site, called(body))).json()["error"]["message"]

    assert len(message) < 200
    for word in ("sys.", "Traceback", "utf-8-sig", ".py", "object at"):
        assert word not in message


@pytest.mark.parametrize(
    "body",
    [
        b'{"value":%b%b}' % (b"[" * 31, b"]" * 31),
        b'{"value":"%b"}' % (b"[{" * 1000),
        b'{"value":"\\"%b"}' % (b"[{" * 1000),
        b'{"value":[%b]}' % b",".join([b"[]"] * 1000),
        b'{"value":"\\ud83d\\ude00"}',
        b'{"value":"\\\\ud800"}',
        b'{"value":1e308}',
        b'{"value":1e-999}',
        b'{"value":%b}' % (b"1" * 4300),
        b'{"value":"\xf0\x9f\x98\x80\xe2\x80\xa8"}',
        b' \t\r\n{"value":null}\n',
    ],
)
async def test_what_is_json_within_the_limits_is_read(site: Actions, body: bytes) -> None:
    assert (await send(site, called(body))).status == 200


@pytest.mark.parametrize("body", [b"[]", b"1", b'"x"', b"null", b"true"])
async def test_an_input_is_an_object(site: Actions, body: bytes) -> None:
    answer = await send(site, called(body))

    assert (answer.status, answer.json()["error"]["code"]) == (422, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    "extra",
    [
        "__class__",
        "__init__",
        "__proto__",
        "constructor",
        "arg_value",
        "ctx",
        "self",
        "model_config",
    ],
)
async def test_a_field_that_the_action_does_not_have_is_refused(site: Actions, extra: str) -> None:
    answer = await send(site, post("/echo", {"value": 1, extra: {"x": 1}}, ALICE))

    assert answer.status == 422
    assert list(answer.json()["error"]["fieldErrors"]) == [extra]


@pytest.mark.parametrize("field", ["file", "note"])
async def test_a_file_cannot_be_made_of_json(site: Actions, field: str) -> None:
    for value in ("/etc/passwd", {"file": "/etc/passwd"}, {"filename": "x", "size": 1}, 3, ["x"]):
        answer = await send(site, post("/take", {field: value, "note": "x"}, ALICE))

        assert answer.status == 422


# Any bytes at all: an answer that says what is wrong, never that something went wrong here.


def answered(*calls: Call) -> list[Answer]:
    async def check() -> list[Answer]:
        async with opened(world()) as site:
            return [await send(site, call) for call in calls]

    return asyncio.run(check())


JSONISH: Final = st.lists(
    st.sampled_from(
        [
            *'{}[]",:\\ \n0123456789-+.eEnulltrefas',
            '"value"',
            "\\u",
            "d800",
            "\\ud83d",
            "NaN",
            "1e999",
        ]
    ),
    max_size=40,
).map(lambda parts: "".join(parts).encode())
TYPES: Final = st.sampled_from(
    [
        "application/json",
        "application/json; charset=utf-16",
        "application/vnd.x+json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=B",
        "multipart/form-data; boundary=B; charset=punycode",
        "multipart/form-data; boundary=B; charset*=utf-8''undefined",
        'multipart/form-data; boundary="B',
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\xe9",
        "multipart/mixed; boundary=B",
        "text/plain",
        ";",
        "",
    ]
)
PARTS: Final = st.lists(
    st.sampled_from(
        [
            b"--B",
            b"--B--",
            b"\r\n",
            b"\n",
            b"\r",
            b"Content-Disposition: form-data",
            b'; name="value"',
            b'; name="file"',
            b'; filename="a"',
            b"; filename*=utf-8''%ff%00",
            b'; name="\xff\x00"',
            b"Content-Type: text/plain; charset=undefined",
            b"Content-Transfer-Encoding: base64",
            b"\x00\xff",
            b"x" * 70_000,
        ]
    ),
    max_size=16,
).map(b"".join)


@settings(max_examples=300, deadline=None)
@given(
    body=JSONISH | st.binary(max_size=60) | PARTS,
    kind=TYPES,
    target=st.sampled_from(["/echo", "/take", "/send_tree"]),
)
def test_no_body_makes_the_server_fail(body: bytes, kind: str, target: str) -> None:
    (answer,) = answered(called(body, [("content-type", kind)], target))

    assert answer.status < 500


@pytest.mark.timeout(600)  # for as many as MALFORMED says
@settings(max_examples=int(os.environ.get("MALFORMED", "150")), deadline=None)
@given(
    body=JSONISH | st.binary(max_size=60) | PARTS,
    kind=TYPES,
    place=st.sampled_from(
        [
            ("publish", "questions/publish"),
            ("listen", "inbox"),
            ("claim", "questions/damage"),
            ("claim", "inbox"),
        ]
    ),
)
def test_no_answer_and_no_message_makes_the_server_fail(
    body: bytes, kind: str, place: tuple[str, str]
) -> None:
    action, path = place

    async def check() -> int:
        async with opened(asking()) as site:
            run_id = await begun(site, action)
            if path.startswith("questions"):
                await until_asked(site, run_id, path.partition("/")[2])
            target = f"/runs/{run_id}/{path}"
            return (await send(site, called(body, [("content-type", kind)], target))).status

    assert asyncio.run(check()) < 500


@settings(max_examples=100, deadline=None)
@given(
    name=st.sampled_from(
        ["accept", "prefer", "last-event-id", "idempotency-key", "content-type", "content-length",
         "if-none-match", "cookie", "x-forwarded-for", "sec-fetch-site", "range", "expect"]
    ),
    value=st.text(alphabet=st.characters(max_codepoint=255), max_size=40),
)  # fmt: skip
def test_no_header_makes_the_server_fail(name: str, value: str) -> None:
    answers = answered(
        post("/say", {}, [*ALICE, (name, value)]),
        get("/tick", [*ALICE, (name, value)]),
        get("/runs?limit=1", [*ALICE, (name, value)]),
    )

    assert [answer.status for answer in answers if answer.status >= 500] == []


@settings(max_examples=100, deadline=None)
@given(
    name=st.sampled_from(
        ["after", "wait", "limit", "status", "before", "action", "label", "lastEventId", "times"]
    ),
    value=st.text(max_size=20).map(lambda text: text.encode("utf-8", "replace").hex("%", 1))
    | st.sampled_from(["", "%00", "1e999", "-1", "NaN", "9" * 400, "%ff%fe", "&&=", "%"]),
)
def test_no_query_makes_the_server_fail(name: str, value: str) -> None:
    query = f"?{name}={'%' if value and '%' not in value[:1] else ''}{value}"
    answers = answered(get(f"/runs{query}", ALICE), get(f"/tick{query}", ALICE))

    assert [answer.status for answer in answers if answer.status >= 500] == []


# 19: nothing is found but what was registered, by its very name.


@pytest.mark.parametrize(
    "name",
    [
        "__class__",
        "__init__",
        "__dict__",
        "say.__globals__",
        "say.function",
        "asyncio.sleep",
        "os.system",
        "yieldwire.asgi",
        "builtins:eval",
        "..",
        "../say",
        "./say",
        "say//",
        "/say",
        "SAY",
        "Say",
        "sa%79%00",
        "say%00",
        "say%20",
        "say%0A",
        "\uff53\uff41\uff59",
        "s\u0430y",
        "say\u200b",
        "send_Tree",
        "_send_tree",
        "send_tree_",
        "send-tree",
        "*",
        "{}",
        "",
        "register",
        "farewell",
        "close",
        "actions",
        "runs.",
        "x" * 10_000,
    ],
)
async def test_only_a_registered_name_is_an_action(site: Actions, name: str) -> None:
    for method in ("GET", "POST"):
        call = Call(method=method, target=f"/{name}", headers=[JSON, *ALICE], body=[b"{}"])

        answer = await send(site, call)

        assert answer.status in {404, 405}
    assert (await send(site, get("/runs", ALICE))).json()["runs"] == []


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.characters(exclude_characters="?#"), max_size=30))
def test_no_path_makes_the_server_fail(path: str) -> None:
    assume(path.strip("/") != "wait")  # that action is answered when it ends, which it never does
    target = "/" + path.encode("utf-8", "replace").decode()
    answers = answered(*(Call(method=method, target=target) for method in ("GET", "POST", "PUT")))

    assert [answer.status for answer in answers if answer.status >= 500] == []
