"""A start becomes a record, and the terms of its admission."""

from collections.abc import AsyncIterator, Callable
from io import BytesIO
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_core import from_json

from yieldwire.actions.action import Action, Options
from yieldwire.actions.context import Context, RequestFacts
from yieldwire.actions.upload import Upload
from yieldwire.errors import ParseError, UsageError
from yieldwire.log.chunks import Text
from yieldwire.log.run import RunRecord, Status
from yieldwire.runs.access import Caller
from yieldwire.runs.start import (
    ANONYMOUS_KEY_LENGTH,
    StartRequest,
    admission_of,
    close_uploads,
    dump,
    record_of,
)
from yieldwire.stores import Admission


async def ticks(times: int = 2) -> AsyncIterator[Text]:
    yield Text("tick")


async def act(file: Upload | None = None, files: list[Upload] | None = None) -> AsyncIterator[Text]:
    yield Text("a")


async def other() -> AsyncIterator[Text]:
    yield Text("a")


OPTIONS = Options(labels=("own",), linger=5.0, timeout=7.0, retries=1, retention=9.0, concurrency=2)
ACTION: Action[..., Any, Any] = Action(act, OPTIONS)
KEY = "k" * ANONYMOUS_KEY_LENGTH


def record(owner: str | None = "ada", data: bytes = b"{}") -> RunRecord:
    ctx = Context(
        run_id="r1",
        action="act",
        owner=owner,
        quota_key="c",
        request=RequestFacts(method="POST", headers={"x": "y"}),
    )
    ctx.state["n"] = 1
    ctx.labels.append("more")
    return record_of(ACTION, ctx, data, detached=True)


def request_of(action: Action[..., Any, Any], key: str | None = None) -> StartRequest:
    return StartRequest(action=action, caller=Caller(), key=key)


def admission(key: str | None, owner: str | None = "ada", data: bytes = b"{}") -> Admission:
    return admission_of(request_of(ACTION, key), record(owner, data), max_runs=8, lease=None)


def test_a_record_has_the_starts_facts_and_the_actions_options() -> None:
    run = record(data=b'{"x":1}')

    assert (run.id, run.action, run.owner, run.quota_key) == ("r1", "act", "ada", "c")
    assert (run.input, run.labels, run.status) == (b'{"x":1}', ("own", "more"), Status.PENDING)
    assert (run.linger, run.timeout, run.retries, run.retention) == (5.0, 7.0, 1, 9.0)
    assert run.detached
    assert from_json(run.context) == {
        "state": {"n": 1},
        "request": {"method": "POST", "path": "", "client": None, "headers": {"x": "y"}},
    }


def test_admission_carries_the_limits() -> None:
    told = admission(None)

    assert (told.key, told.action_limit, told.caller_limit) == (None, 2, 8)


def test_the_same_key_of_the_same_owner_and_action_is_the_same() -> None:
    assert admission(KEY).key == admission(KEY).key
    assert admission(KEY).key != admission(KEY + "x").key


def test_keys_of_other_owners_and_actions_never_meet() -> None:
    keys = {
        admission(KEY).key,
        admission(KEY, owner="ben").key,
        admission(KEY, owner=None).key,
        admission(KEY, owner='ada","act').key,
        admission_of(request_of(Action(other, Options()), KEY), record(), None, None).key,
    }

    assert len(keys) == 5
    assert all(KEY not in (key or "") for key in keys)


def test_another_input_has_another_fingerprint() -> None:
    assert admission(KEY).fingerprint == admission("x" * 22).fingerprint
    assert admission(KEY).fingerprint != admission(KEY, data=b"[]").fingerprint


def feed(function: Callable[..., Any], data: bytes = b"{}", owner: str = "ada") -> str | None:
    action: Action[..., Any, Any] = Action(function, Options(is_feed=True, shared=True))
    return admission_of(request_of(action), record(owner, data), None, None).feed


def test_a_shared_feed_is_known_by_its_action_and_its_input() -> None:
    feeds = [feed(ticks), feed(other), feed(ticks, b'{"times":1}')]

    assert len({*feeds}) == 3
    assert feed(ticks, owner="ben") == feeds[0]
    assert admission(None).feed is None


def test_an_anonymous_key_must_be_one_that_nobody_guesses() -> None:
    with pytest.raises(ParseError, match="must be random, of 22 characters or more"):
        admission("short", owner=None)

    assert admission("short").key is not None
    assert admission(KEY, owner=None).key is not None


def test_no_caller_can_have_the_key_of_a_schedules_run() -> None:
    def key_at(tick: float | None, key: str | None = None) -> str | None:
        request = StartRequest(action=ACTION, caller=Caller(), key=key, tick=tick)
        return admission_of(request, record(owner=None), None, None).key

    assert key_at(3600.0) == key_at(3600.0)
    assert key_at(3600.0) != key_at(7200.0)
    assert key_at(None, f"{3600.0:022}") != key_at(3600.0)


async def test_arguments_are_dumped_with_or_without_files() -> None:
    none = await dump(ACTION, ACTION.signature.validate({}))
    some = await dump(ACTION, ACTION.signature.validate({"files": [BytesIO(b"a")]}))

    assert from_json(none) == {"file": None, "files": None}
    assert from_json(some)["files"][0]["size"] == 1


class Form(BaseModel):
    file: Upload
    more: dict[str, Upload]


def test_every_file_among_the_arguments_is_closed() -> None:
    files = [Upload(BytesIO(b"a")) for _ in range(6)]

    close_uploads(
        {
            "one": files[0],
            "list": [files[1], (files[2],)],
            "map": {"x": files[3]},
            "body": Form(file=files[4], more={"y": files[5]}),
            "text": "x",
            "number": 3,
        }
    )

    assert [file.file.closed for file in files] == [True] * 6


def test_a_label_of_the_action_and_of_a_guard_is_on_the_run_once() -> None:
    ctx = Context(
        run_id="r1", action="act", owner=None, quota_key="c", request=RequestFacts(method="POST")
    )
    ctx.labels += ["own", "more", "own", "more"]

    run = record_of(ACTION, ctx, b"{}", detached=True)

    assert run.labels == ("own", "more")


@pytest.mark.parametrize("labels", [["fine", 7], "nightly", [""], None])
def test_a_guard_that_puts_on_what_cannot_be_a_label_is_told_of_which_action(
    labels: Any,  # noqa: ANN401 - a mistake
) -> None:
    ctx = Context(
        run_id="r1", action="act", owner=None, quota_key="c", request=RequestFacts(method="POST")
    )
    ctx.labels = labels

    with pytest.raises(UsageError, match=r"^act, ctx\.labels: .*label"):
        record_of(ACTION, ctx, b"{}", detached=True)
