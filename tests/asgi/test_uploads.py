"""Files that clients write to the object store themselves reach the run that they belong to."""

import asyncio
import re
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any

import pytest
from pydantic_core import from_json, to_json
from starlette.requests import HTTPConnection

from tests.asgi.test_answering import MULTIPART, multipart
from tests.support.calls import Call, Fields, post, send
from tests.support.direct import DirectStore, counting
from tests.support.runs import SOON
from tests.support.wire import Answer
from yieldwire import Actions, Context, Forbidden
from yieldwire.asgi.requestlimits import RequestLimits
from yieldwire.hooks import Hooks
from yieldwire.log.run import RunRecord
from yieldwire.runs.places import PLACE_SECONDS
from yieldwire.stores.objects import LEFT_AFTER
from yieldwire.testing.clock import MovingClock

KEY = ("idempotency-key", "0123456789012345678901")
OTHER_KEY = ("idempotency-key", "9876543210987654321098")


def described(content: bytes = b"hello", **changed: object) -> dict[str, Any]:
    digest = sha256(content).hexdigest()
    return {"sha256": digest, "size": len(content), "contentType": "text/csv", **changed}


def starting(place: str, *files: object, key: tuple[str, str] = KEY, to: str = "length") -> Call:
    places = ["/file", "/more"][: len(files)]
    told = {"input": {name[1:]: f"{name[1:]}.csv" for name in places}, "files": places}
    parts: dict[str, str | bytes] = {":input": to_json(told).decode()}
    parts |= {str(number): to_json(file).decode() for number, file in enumerate(files)}
    headers = [key, MULTIPART, ("upload-place", place)]
    return Call(method="POST", target=f"/{to}", headers=headers, body=[multipart(**parts)])


@pytest.fixture
def clock() -> MovingClock:
    return MovingClock()


@pytest.fixture
def store(clock: MovingClock) -> DirectStore:
    return DirectStore(clock)


@pytest.fixture
async def actions(store: DirectStore, clock: MovingClock) -> AsyncIterator[Actions]:
    actions = counting(store, clock=clock)
    async with actions.lifespan():
        yield actions


async def reserved(
    actions: Actions, *contents: bytes, headers: Fields = (KEY,), to: str = "length"
) -> tuple[str, list[str]]:
    """Return a place for some files, and where to write them."""
    files = [described(content) for content in contents]
    answer = await send(actions, post(f"/{to}/uploads", {"files": files}, headers))
    assert answer.status == 200, answer.json()
    told = answer.json()
    assert [each["method"] for each in told["uploads"]] == ["PUT"] * len(contents)
    return told["place"], [each["url"] for each in told["uploads"]]


async def written(actions: Actions, store: DirectStore, *contents: bytes) -> str:
    """Return a place in which some files were written."""
    place, urls = await reserved(actions, *contents)
    for url, content in zip(urls, contents, strict=True):
        await asyncio.to_thread(store.uploads.write, url, content)
    return place


async def names(store: DirectStore) -> list[str]:
    return [*await asyncio.to_thread(store.far.names)]


def code_of(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json()["error"]["code"]


async def test_a_start_finds_its_files_in_its_place(actions: Actions, store: DirectStore) -> None:
    place = await written(actions, store, b"hello", b" you")

    answer = await send(actions, starting(place, described(), described(b" you")))

    assert answer.json()["result"] == "file.csv text/csv hello you"
    async with asyncio.timeout(SOON):
        while await names(store):  # noqa: ASYNC110 - they are deleted after the end
            await asyncio.sleep(0.01)


async def test_a_signed_request_lasts_for_an_hour_and_says_what_to_send(actions: Actions) -> None:
    answer = await send(actions, post("/length/uploads", {"files": [described()]}, [KEY]))

    upload = answer.json()["uploads"][0]
    assert upload["url"].endswith(f"/{described()['sha256']}?expires=3600")
    assert upload["headers"] == {"Content-Type": "text/csv"}


async def test_a_repeated_start_gets_its_run_although_the_files_are_deleted(
    store: DirectStore, clock: MovingClock
) -> None:
    created = list[str]()

    class Watching(Hooks):
        def run_created(self, run: RunRecord, /) -> None:
            created.append(run.id)

    actions = counting(store, clock=clock, hooks=[Watching()])
    place = await written(actions, store, b"hello")
    first = await send(actions, starting(place, described()))
    async with asyncio.timeout(SOON):
        while await names(store):  # noqa: ASYNC110 - they are deleted after the end
            await asyncio.sleep(0.01)

    again = await send(actions, starting(place, described()))
    await actions.app.close()

    assert again.json() == first.json()
    assert created == [first.json()["runId"]]


async def test_a_place_serves_one_input(actions: Actions, store: DirectStore) -> None:
    place = await written(actions, store, b"hello", b"other")
    await send(actions, starting(place, described()))

    answer = await send(actions, starting(place, described(b"other")))

    assert code_of(answer) == (422, "KEY_REUSED")


async def test_the_same_file_sent_with_the_start_is_the_same_input(
    actions: Actions, store: DirectStore
) -> None:
    place = await written(actions, store, b"hello")
    first = await send(actions, starting(place, described()))
    told = '{"input":{"file":"file.csv"},"files":["/file"]}'
    parts: dict[str, str | bytes] = {":input": told, "0": b"hello"}
    body = multipart(**parts).replace(b"image/jpeg", b"text/csv")
    headers = [KEY, MULTIPART]

    again = await send(actions, Call(method="POST", target="/length", headers=headers, body=[body]))

    assert again.json()["runId"] == first.json()["runId"]


@pytest.mark.parametrize(
    ("key", "to"), [(OTHER_KEY, "length"), (KEY, "plain")], ids=["key", "action"]
)
async def test_a_place_is_of_no_use_to_another_start(
    actions: Actions, store: DirectStore, key: tuple[str, str], to: str
) -> None:
    place = await written(actions, store, b"hello")

    answer = await send(actions, starting(place, described(), key=key, to=to))

    assert code_of(answer) == (403, "FORBIDDEN")


async def test_a_place_is_of_no_use_to_another_caller(store: DirectStore) -> None:
    async def who(request: HTTPConnection) -> str | None:
        return request.headers.get("x-user")

    actions = counting(store, identify=who)
    async with actions.lifespan():
        place, _ = await reserved(actions, b"hello", headers=[KEY, ("x-user", "ada")])

        answer = await send(actions, starting(place, described()))

    assert code_of(answer) == (403, "FORBIDDEN")


async def test_a_place_that_was_changed_or_is_too_old_is_refused(
    actions: Actions, store: DirectStore, clock: MovingClock
) -> None:
    place = await written(actions, store, b"hello")
    changed = await send(actions, starting(place[:-1] + "?", described()))
    clock.advance(PLACE_SECONDS)
    late = await send(actions, starting(place, described()))

    assert code_of(changed) == code_of(late) == (403, "FORBIDDEN")
    assert "upload the files again" in late.json()["error"]["message"]
    assert PLACE_SECONDS < LEFT_AFTER


async def test_a_file_that_is_not_there_is_told(actions: Actions, store: DirectStore) -> None:
    place, _ = await reserved(actions, b"hello")

    answer = await send(actions, starting(place, described()))

    assert code_of(answer) == (422, "VALIDATION_ERROR")
    assert "was not uploaded" in answer.json()["error"]["fieldErrors"]["_root"][0]


async def test_a_refused_start_keeps_the_files_for_the_next_try(
    actions: Actions, store: DirectStore
) -> None:
    place = await written(actions, store, b"hello")
    refused = await send(actions, starting(place, described(), described(b"absent")))
    assert refused.status == 422

    answer = await send(actions, starting(place, described()))

    assert answer.json()["status"] == "completed"


@pytest.mark.parametrize(
    "text",
    ["", "{}", '"abc"', to_json(described(size=-1)).decode(), to_json(described(b=1)).decode()],
)
async def test_a_text_that_stands_for_no_file_is_refused(
    actions: Actions, store: DirectStore, text: str
) -> None:
    place = await written(actions, store, b"hello")
    told = '{"input":{"file":"file.csv"},"files":["/file"]}'
    headers = [KEY, MULTIPART, ("upload-place", place)]
    body = multipart(**{":input": told, "0": text})

    answer = await send(
        actions, Call(method="POST", target="/length", headers=headers, body=[body])
    )

    assert code_of(answer) == (400, "PARSE_ERROR")


async def test_files_in_a_place_and_in_the_body_do_not_mix(
    actions: Actions, store: DirectStore
) -> None:
    place = await written(actions, store, b"hello")
    told = '{"input":{"file":"a.csv","more":"b.csv"},"files":["/file","/more"]}'
    headers = [KEY, MULTIPART, ("upload-place", place)]
    parts: dict[str, str | bytes] = {":input": told, "0": to_json(described()).decode(), "1": b"x"}

    answer = await send(
        actions, Call(method="POST", target="/length", headers=headers, body=[multipart(**parts)])
    )

    assert code_of(answer) == (400, "PARSE_ERROR")


async def test_a_file_without_a_place_is_refused(actions: Actions) -> None:
    told = '{"input":{"file":"file.csv"},"files":["/file"]}'
    body = multipart(**{":input": told, "0": to_json(described()).decode()})

    answer = await send(
        actions, Call(method="POST", target="/length", headers=[KEY, MULTIPART], body=[body])
    )

    assert code_of(answer) == (400, "PARSE_ERROR")


# Asking for a place.


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ({"files": []}, "VALIDATION_ERROR"),
        ({"files": [described(sha256="A" * 64)]}, "VALIDATION_ERROR"),
        ({"files": [described(size="5")]}, "VALIDATION_ERROR"),
        ({"files": [described(contentType="a\r\nb")]}, "VALIDATION_ERROR"),
        ({"files": [described(name="a")]}, "VALIDATION_ERROR"),
        ({"files": [described()] * 4}, "PAYLOAD_TOO_LARGE"),
        ({"files": [described(size=101)]}, "PAYLOAD_TOO_LARGE"),
    ],
)
async def test_what_cannot_be_uploaded_is_refused_before_anything_is_signed(
    store: DirectStore, told: object, code: str
) -> None:
    actions = counting(store, request_limits=RequestLimits(files=3, upload_bytes=100))
    store.uploads.fault = OSError("nothing is signed")
    async with actions.lifespan():
        answer = await send(actions, post("/length/uploads", told, [KEY]))

    assert answer.json()["error"]["code"] == code


@pytest.mark.parametrize(
    ("target", "headers", "code"),
    [
        ("/absent/uploads", [KEY], "NOT_FOUND"),
        ("/plain/uploads", [KEY], "PARSE_ERROR"),
        ("/length/uploads", [], "PARSE_ERROR"),
        ("/length/uploads", [("idempotency-key", "short")], "PARSE_ERROR"),
    ],
)
async def test_a_place_is_for_a_start_with_files_and_a_key(
    actions: Actions, target: str, headers: Fields, code: str
) -> None:
    answer = await send(actions, post(target, {"files": [described()]}, headers))

    assert answer.json()["error"]["code"] == code


async def test_who_cannot_start_the_action_gets_no_place(store: DirectStore) -> None:
    async def nobody(ctx: Context) -> None:
        raise Forbidden("Not you.")

    actions = counting(store, guards=[nobody])
    async with actions.lifespan():
        answer = await send(actions, post("/length/uploads", {"files": [described()]}, [KEY]))

    assert code_of(answer) == (403, "FORBIDDEN")


async def test_a_caller_can_only_ask_for_so_many_places(store: DirectStore) -> None:
    actions = counting(store, request_limits=RequestLimits(places=2))
    async with actions.lifespan():
        for _ in range(2):
            await reserved(actions, b"hello")

        answer = await send(actions, post("/length/uploads", {"files": [described()]}, [KEY]))

    assert code_of(answer) == (429, "RATE_LIMITED")


@pytest.mark.parametrize("lacks", ["secret", "object store"])
async def test_a_server_that_cannot_offer_places_says_so(store: DirectStore, lacks: str) -> None:
    actions = counting(store, secret=None) if lacks == "secret" else counting(None)
    async with actions.lifespan():
        answer = await send(actions, post("/length/uploads", {"files": [described()]}, [KEY]))
        start = await send(actions, starting("place", described()))

    assert code_of(answer) == (404, "NOT_FOUND")
    assert code_of(start) == (403, "FORBIDDEN")


async def test_an_object_store_that_fails_is_unavailable(
    actions: Actions, store: DirectStore
) -> None:
    place = await written(actions, store, b"hello")
    store.uploads.fault = OSError("no answer")

    asked = await send(actions, post("/length/uploads", {"files": [described()]}, [KEY]))
    started = await send(actions, starting(place, described()))

    assert code_of(asked) == code_of(started) == (503, "UNAVAILABLE")


async def test_the_run_does_not_see_its_place(actions: Actions, store: DirectStore) -> None:
    place = await written(actions, store, b"hello")

    answer = await send(actions, starting(place, described()))

    run = await store.get(answer.json()["runId"])
    assert "upload-place" not in from_json(run.context)["request"]["headers"]
    assert not re.search(re.escape(place), run.context.decode())
