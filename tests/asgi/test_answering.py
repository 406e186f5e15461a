"""Answers and messages over HTTP: from programs, from plain forms, and by links."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
from pydantic import BaseModel, Field

from tests.support.calls import JSON, Call, Fields, get, post, send
from tests.support.wire import Answer
from tests.support.world import ALICE, BOB, NOBODY, PAGE, begun, opened, wait_for_end, world
from yieldwire import Actions, Context, RequestLimits, Result, Text, Upload

URL = "https://app.example.com/api/_actions"
FORM = ("content-type", "application/x-www-form-urlencoded")


class Decision(BaseModel):
    """Whether to publish."""

    approved: bool
    note: str = Field(default="", max_length=20)


class Wish(BaseModel):
    """What to do next."""

    text: str


class Evidence(BaseModel):
    """What the damage looks like."""

    note: str
    photo: Upload


def asking(**settings: Any) -> Actions:  # noqa: ANN401 - the application's own settings
    actions = world(secret="s" * 32, url=URL, **settings)

    @actions.action(asks=(Decision, Literal["now", "later"]))
    async def publish(ctx: Context) -> AsyncIterator[Text | Result[str]]:
        yield Text("a draft")
        decision = await ctx.ask(Decision, "Publish this?", id="publish", detail={"words": 120})
        if not decision.approved:
            yield Result(f"no: {decision.note}")
            return
        when = await ctx.ask(Literal["now", "later"], "When?", id="when")
        yield Result(when)

    @actions.action(inbox=Wish)
    async def listen(ctx: Context) -> AsyncIterator[Text | Result[str]]:
        yield Text("listening")
        async for wish in ctx.inbox(Wish):
            if wish.text == "stop":
                break
            yield Text(wish.text)
        yield Result("stopped")

    @actions.action(asks=(Evidence, Upload), inbox=Evidence)
    async def claim(ctx: Context) -> AsyncIterator[Text | Result[str]]:
        evidence = await ctx.ask(Evidence, "Show me the damage", id="damage")
        yield Text((await evidence.photo.read()).decode())
        invoice = await ctx.ask(Upload, "And the invoice", id="invoice")
        yield Result(f"{evidence.photo.filename}, {invoice.filename}")

    return actions


@pytest.fixture
async def site() -> AsyncIterator[Actions]:
    async with opened(asking()) as actions:
        yield actions


async def asked(site: Actions, question: str = "publish", after: int = 0) -> str:
    """Return the id of a run whose question is open."""
    return await until_asked(site, await begun(site, "publish"), question)


async def until_asked(site: Actions, run_id: str, question: str) -> str:
    async for event in (await site.runs.get(run_id)).events():
        if event.type == "question" and event.value["id"] == question:
            return run_id
    raise AssertionError("the run has ended")


def answering(
    run_id: str, value: object, headers: Fields = ALICE, question: str = "publish"
) -> Call:
    return post(f"/runs/{run_id}/questions/{question}", value, headers)


def filled(run_id: str, body: bytes, question: str = "publish") -> Call:
    target = f"/runs/{run_id}/questions/{question}"
    return Call(method="POST", target=target, headers=[*ALICE, FORM, PAGE], body=[body])


def problem(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json()["error"]["code"]


async def result_of(site: Actions, run_id: str) -> object:
    await wait_for_end(site, run_id)
    return (await send(site, get(f"/runs/{run_id}", ALICE))).json()["result"]


# Programs.


async def test_an_answer_is_confirmed_and_reaches_the_action(site: Actions) -> None:
    run_id = await asked(site)

    answer = await send(site, answering(run_id, {"approved": False, "note": "typo"}))

    assert answer.status == 200
    assert answer.json() == {"runId": run_id, "question": "publish", "number": 1}
    assert await result_of(site, run_id) == "no: typo"


async def test_an_answer_that_does_not_match_says_which_field_and_the_question_stays(
    site: Actions,
) -> None:
    run_id = await asked(site)

    refused = await send(site, answering(run_id, {"approved": "perhaps", "note": "x" * 21}))
    taken = await send(site, answering(run_id, {"approved": False}))

    assert problem(refused) == (422, "VALIDATION_ERROR")
    assert set(refused.json()["error"]["fieldErrors"]) == {"approved", "note"}
    assert taken.status == 200


async def test_a_question_is_answered_once(site: Actions) -> None:
    run_id = await asked(site)

    answers = await asyncio.gather(
        *(send(site, answering(run_id, {"approved": True})) for _ in range(5))
    )

    assert sorted(answer.status for answer in answers) == [200, 409, 409, 409, 409]
    lost = next(answer for answer in answers if answer.status == 409).json()["error"]
    assert (lost["code"], lost["data"]["by"]) == ("ALREADY_ANSWERED", "alice")


async def test_an_answer_that_is_sent_again_with_its_key_is_the_same(site: Actions) -> None:
    run_id = await asked(site)
    key = ("idempotency-key", "one-answer-sent-two-times")

    first = await send(site, answering(run_id, {"approved": True}, [*ALICE, key]))
    again = await send(site, answering(run_id, {"approved": True}, [*ALICE, key]))

    assert (first.status, again.status) == (200, 200)
    assert first.json() == again.json()


async def test_what_was_never_asked_cannot_be_answered(site: Actions) -> None:
    run_id = await asked(site)

    answer = await send(site, answering(run_id, {"approved": True}, question="other"))

    assert problem(answer) == (404, "NOT_FOUND")


async def test_after_the_end_there_is_nothing_to_answer(site: Actions) -> None:
    run_id = await asked(site)
    await send(site, post(f"/runs/{run_id}/cancel", None, ALICE))
    await wait_for_end(site, run_id)

    answer = await send(site, answering(run_id, {"approved": True}))

    assert problem(answer) == (410, "RUN_ENDED")


async def test_the_snapshot_lists_what_is_open(site: Actions) -> None:
    run_id = await asked(site)

    snapshot = (await send(site, get(f"/runs/{run_id}", ALICE))).json()

    (question,) = snapshot["questions"]
    assert (question["id"], question["prompt"]) == ("publish", "Publish this?")
    assert set(question["schema"]["properties"]) == {"approved", "note"}


# Messages.


async def test_messages_reach_the_action_in_their_order(site: Actions) -> None:
    run_id = await begun(site, "listen")

    answers = [
        await send(site, post(f"/runs/{run_id}/inbox", {"text": text}, ALICE))
        for text in ("a", "b", "stop")
    ]

    assert [answer.json()["number"] for answer in answers] == [1, 2, 3]
    assert await result_of(site, run_id) == "stopped"
    text = (await send(site, get(f"/runs/{run_id}", ALICE))).json()["text"]
    assert text == "listeningab"


async def test_a_message_that_does_not_match_is_refused_at_the_door(site: Actions) -> None:
    run_id = await begun(site, "listen")

    answer = await send(site, post(f"/runs/{run_id}/inbox", {"words": "a"}, ALICE))

    assert problem(answer) == (422, "VALIDATION_ERROR")


async def test_an_action_without_an_inbox_takes_no_messages(site: Actions) -> None:
    run_id = await begun(site)

    answer = await send(site, post(f"/runs/{run_id}/inbox", {"text": "a"}, ALICE))

    assert answer.status == 404
    assert "takes no messages" in answer.json()["error"]["message"]


# Who is allowed to.


@pytest.mark.parametrize(("who", "status"), [(NOBODY, 401), (BOB, 403)], ids=["-", "bob"])
@pytest.mark.parametrize("path", ["questions/publish", "inbox"])
async def test_a_stranger_can_neither_answer_nor_send(
    site: Actions, who: Fields, status: int, path: str
) -> None:
    run_id = await asked(site)

    answer = await send(site, post(f"/runs/{run_id}/{path}", {"approved": True}, who))

    assert answer.status == status


async def test_a_file_that_arrived_after_its_sender_was_signed_out_is_refused(
    site: Actions,
) -> None:
    run_id = await begun(site, "claim")
    body_is_awaited, go, sent = asyncio.Event(), asyncio.Event(), list[Any]()

    async def receive() -> dict[str, Any]:
        body_is_awaited.set()
        await go.wait()
        return {"type": "http.request", "body": multipart(note="a", photo=b"x")}

    async def take(message: Any) -> None:  # noqa: ANN401 - of ASGI
        sent.append(message)

    call = Call(method="POST", target=f"/runs/{run_id}/inbox", headers=[*ALICE, MULTIPART])
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(site(call.scope(), receive, take))
        await body_is_awaited.wait()
        await site.disconnect("alice")
        go.set()

    assert sent[0]["status"] == 401
    assert await site.app.store.inbox(run_id, 0) == []


async def test_another_sites_page_cannot_answer(site: Actions) -> None:
    run_id = await asked(site)
    foreign = [*ALICE, ("origin", "https://evil.example")]

    answer = await send(site, answering(run_id, {"approved": True}, foreign))

    assert answer.status == 403


# Files.


BOUNDARY = "b0undary"
MULTIPART = ("content-type", f"multipart/form-data; boundary={BOUNDARY}")


def multipart(**parts: str | bytes) -> bytes:
    """Return a body as a browser sends it; bytes are a file, called as its field."""
    lines = list[bytes]()
    for name, content in parts.items():
        is_file = isinstance(content, bytes)
        kind = f'; filename="{name}.jpg"\r\nContent-Type: image/jpeg' if is_file else ""
        lines.append(
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{kind}\r\n\r\n'.encode()
            + (content if isinstance(content, bytes) else content.encode())
        )
    return b"\r\n".join([*lines, f"--{BOUNDARY}--\r\n".encode()])


def showing(run_id: str, body: bytes, headers: Fields = ALICE, question: str = "damage") -> Call:
    target = f"/runs/{run_id}/questions/{question}"
    return Call(method="POST", target=target, headers=[*headers, MULTIPART], body=[body])


async def test_files_come_with_an_answer_by_a_program_or_a_form(site: Actions) -> None:
    run_id = await until_asked(site, await begun(site, "claim"), "damage")
    envelope = '{"input":{"note":"a dent","photo":"a.jpg"},"files":["/photo"]}'
    parts: dict[str, str | bytes] = {":input": envelope, "0": b"x"}

    answer = await send(site, showing(run_id, multipart(**parts)))
    await until_asked(site, run_id, "invoice")
    page = (await send(site, get(f"/runs/{run_id}", [*ALICE, PAGE]))).body.decode()
    sent = await send(site, showing(run_id, multipart(value=b"y"), [*ALICE, PAGE], "invoice"))

    assert answer.json() == {"runId": run_id, "question": "damage", "number": 1}
    assert 'enctype="multipart/form-data"' in page
    assert sent.status == 303
    assert await result_of(site, run_id) == "a.jpg, value.jpg"


@pytest.mark.parametrize(
    ("value", "kind", "status", "told"),
    [
        (b'{"note":"a dent","photo":"a.jpg"}', JSON, 422, "send a file, as a part of a multipart"),
        (multipart(note="a dent", photo="a.jpg"), MULTIPART, 422, "send a file, as a part"),
        (multipart(note="a dent"), MULTIPART, 422, "Field required"),
        (b"--another\r\n", MULTIPART, 400, "The multipart body cannot be read"),
        (b"x", ("content-type", "image/jpeg"), 415, "multipart/form-data with files"),
        (multipart(note="n" * 2_000, photo=b"x"), MULTIPART, 413, "Part exceeded"),
        (multipart(note="n", photo=b"x" * 9_000), MULTIPART, 413, "over the limit of 8000 bytes"),
    ],
)
async def test_what_is_not_an_answer_with_its_file_is_refused_as_a_start_would_be(
    value: bytes, kind: tuple[str, str], status: int, told: str
) -> None:
    limits = RequestLimits(upload_bytes=8_000, field_bytes=1_000)
    async with opened(asking(request_limits=limits)) as site:
        run_id = await until_asked(site, await begun(site, "claim"), "damage")

        for place in ("questions/damage", "inbox"):
            target = f"/runs/{run_id}/{place}"
            call = Call(method="POST", target=target, headers=[*ALICE, kind], body=[value])
            answer = await send(site, call)
            assert (answer.status, told in answer.body.decode()) == (status, True)

        assert len(await open_questions(site, run_id)) == 1


async def test_a_form_that_is_refused_asks_for_its_file_again(site: Actions) -> None:
    run_id = await until_asked(site, await begun(site, "claim"), "damage")

    page = await send(site, showing(run_id, multipart(photo=b"x"), [*ALICE, PAGE]))

    assert page.status == 422
    assert b"Choose the file again." in page.body


async def test_a_link_takes_a_file(site: Actions) -> None:
    run_id = await until_asked(site, await begun(site, "claim"), "damage")
    link = await link_to(site, run_id, "damage")
    body = [multipart(note="a dent", photo=b"x")]

    page = (await send(site, get(link, [PAGE]))).body.decode()
    sent = await send(site, Call(method="POST", target=link, headers=[MULTIPART], body=body))

    assert 'enctype="multipart/form-data"' in page
    assert (sent.status, sent.json()) == (200, {"question": "damage"})
    await until_asked(site, run_id, "invoice")


# Plain forms.


async def test_the_page_of_a_run_has_the_form_of_its_question(site: Actions) -> None:
    run_id = await asked(site)

    page = (await send(site, get(f"/runs/{run_id}", [*ALICE, PAGE]))).body.decode()

    assert "Publish this?" in page
    assert f'action="/runs/{run_id}/questions/publish"' in page
    assert 'name="approved"' in page
    assert "http-equiv" not in page  # an answer that is being written is not lost


async def test_a_form_answers_and_leads_back_to_the_page(site: Actions) -> None:
    run_id = await asked(site)

    answer = await send(site, filled(run_id, b"approved=false&note=typo"))

    assert (answer.status, answer.headers["location"]) == (303, f"/runs/{run_id}")
    assert await result_of(site, run_id) == "no: typo"


async def test_a_form_that_is_refused_is_shown_again_with_what_was_written(site: Actions) -> None:
    run_id = await asked(site)

    page = await send(site, filled(run_id, b"approved=true&note=" + b"n" * 21))

    assert page.status == 422
    assert b"n" * 21 in page.body
    assert b"at most 20 characters" in page.body


async def test_a_button_answers_a_question_with_a_few_choices(site: Actions) -> None:
    run_id = await asked(site)
    await send(site, answering(run_id, {"approved": True}))
    await until_asked(site, run_id, "when")

    page = (await send(site, get(f"/runs/{run_id}", [*ALICE, PAGE]))).body.decode()
    await send(site, filled(run_id, b"value=later", "when"))

    assert '<button name="value" value="later">later</button>' in page
    assert await result_of(site, run_id) == "later"


# Links.


async def link_to(
    site: Actions, run_id: str, question: str = "publish", *, expires: float = 3600.0
) -> str:
    link = site.app.answer_link(run_id, question, expires=expires, name="Ada")
    return urlsplit(link).path.removeprefix("/api/_actions")


async def test_a_link_shows_its_question_and_answers_nothing_by_itself(site: Actions) -> None:
    run_id = await asked(site)
    link = await link_to(site, run_id)

    page = await send(site, get(link, [PAGE]))
    told = await send(site, get(link, NOBODY))

    assert (page.status, told.status) == (200, 200)
    assert f'action="{link}"' in page.body.decode()
    assert run_id not in page.body.decode().replace(link, "")
    assert told.json()["question"]["prompt"] == "Publish this?"
    assert [each["id"] for each in await open_questions(site, run_id)] == ["publish"]


async def open_questions(site: Actions, run_id: str) -> list[Any]:
    snapshot = (await send(site, get(f"/runs/{run_id}", ALICE))).json()
    return list(snapshot["questions"])


async def test_a_link_answers_without_signing_in_and_says_for_whom_it_was_made(
    site: Actions,
) -> None:
    run_id = await asked(site)
    link = await link_to(site, run_id)
    body = [b"approved=false&note=typo"]

    page = await send(site, Call(method="POST", target=link, headers=[FORM, PAGE], body=body))

    assert (page.status, b"Your answer was sent" in page.body) == (200, True)
    assert await result_of(site, run_id) == "no: typo"
    answers = [
        event.value
        async for event in (await site.runs.get(run_id)).events()
        if event.type == "answer"
    ]
    assert [each["by"] for each in answers] == ["Ada"]


async def test_a_link_that_was_used_is_refused(site: Actions) -> None:
    run_id = await asked(site)
    link = await link_to(site, run_id)
    await send(site, post(link, {"approved": True}, NOBODY))
    await until_asked(site, run_id, "when")

    again = await send(site, post(link, {"approved": True}, NOBODY))
    shown = await send(site, get(link, NOBODY))

    assert problem(again) == (409, "ALREADY_ANSWERED")
    assert shown.status == 404


async def test_a_link_answers_no_other_question_and_reads_nothing(site: Actions) -> None:
    run_id = await asked(site)
    link = await link_to(site, run_id, "when")
    share = link.removeprefix("/answers/")

    other = await send(site, answering(run_id, {"approved": True}, [("run-share", share)]))
    read = await send(site, get(f"/runs/{run_id}", [("run-share", share)]))

    assert (other.status, read.status) == (403, 403)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_expired_or_changed_link_is_refused(site: Actions, method: str) -> None:
    run_id = await asked(site)
    links = [await link_to(site, run_id, expires=-1.0), await link_to(site, run_id) + "x"]

    answers = [
        await send(site, Call(method=method, target=link, headers=[JSON], body=[b"{}"]))
        for link in links
    ]

    assert [answer.status for answer in answers] == [403, 403]


async def test_a_sign_in_that_is_refused_does_not_matter_to_a_link(site: Actions) -> None:
    run_id = await asked(site)
    link = await link_to(site, run_id)

    page = await send(site, get(link, [("authorization", "Bearer unknown"), PAGE]))

    assert page.status == 200


async def test_requests_with_links_are_counted_by_address() -> None:
    async with opened(asking(request_limits=RequestLimits(links=3))) as site:
        run_id = await asked(site)
        link = await link_to(site, run_id)

        answers = [await send(site, get(link, NOBODY)) for _ in range(4)]

    assert [answer.status for answer in answers] == [200, 200, 200, 429]
    assert int(answers[-1].headers["retry-after"]) >= 1
