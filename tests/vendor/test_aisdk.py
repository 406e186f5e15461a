"""The AI SDK 4 to 7 as published: chats in React and Vue, completions, objects and workflows."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from typing import Any, TypeVar

import pytest

from tests.support.server import ThreadServer
from tests.vendor.aiworld import World
from tests.vendor.conformance import proves
from tests.vendor.driving import Observed, drive

T = TypeVar("T", bound=Callable[..., object])
Told = Callable[[str], Observed]
Scene = Callable[[str], Any]

VERSIONS = ("5", "6", "7")
GOOD = {"isAbort": False, "isDisconnect": False, "isError": False}


@pytest.fixture(scope="module")
def told() -> Iterator[Told]:
    """Return what a client observed; each is run once, and once for each version."""
    world = World()
    with ThreadServer(world.app, actions=world.actions) as server:

        @cache
        def observed(client: str) -> Observed:
            return drive(client, server.url)

        yield observed


@pytest.fixture
def chat(told: Told, version: str, framework: str) -> Scene:
    """Return what a case of `useChat` observed."""
    return lambda case: told(f"aichat:{version}")[f"{framework} {case}"]


CHATS = [f"{framework}{version}" for version in VERSIONS for framework in ("react", "vue")]


def proves_all(packages: Sequence[str], *features: str) -> Callable[[T], T]:
    """Say that a test proves the features of several packages."""

    def note(test: T) -> T:
        for package in packages:
            proves(package, *features)(test)
        return test

    return note


proves_chat = partial(proves_all, CHATS)
proves_approving = partial(proves_all, CHATS[2:])
proves_ai = partial(proves_all, [f"ai{version}" for version in VERSIONS])

every = pytest.mark.parametrize(
    ("version", "framework"),
    [(version, framework) for version in VERSIONS for framework in ("react", "vue")],
)
approving = pytest.mark.parametrize(
    ("version", "framework"),
    [(version, framework) for version in VERSIONS[1:] for framework in ("react", "vue")],
)


@proves_chat("useChat: send")
@every
def test_a_chat_reads_text_and_goes_on_with_its_history(chat: Scene) -> None:
    told = chat("text")

    assert (told["status"], told["text"], told["errors"]) == (200, "Jane Austen.", [])
    assert told["roles"] == "user assistant user assistant"
    assert [each | GOOD for each in told["finished"]] == told["finished"]


@proves_chat("useChat: an error before the first chunk")
@every
def test_an_error_before_the_first_chunk_is_an_error_of_the_chat(chat: Scene) -> None:
    told = chat("fail before")

    assert (told["status"], told["error"]) == (402, "Your credit is used up.")
    assert (told["text"], told["finished"][0]["isError"]) == (None, True)


@proves_chat("useChat: an error after the first chunk")
@every
def test_an_error_after_a_chunk_is_an_error_of_the_chat(chat: Scene) -> None:
    told = chat("fail after")

    assert (told["text"], told["error"]) == ("Half", "Your credit is used up.")
    assert told["finished"][0]["isError"]


@proves_chat("useChat: stop")
@every
def test_stopping_a_chat_stops_its_run(chat: Scene) -> None:
    told = chat("stop")

    assert (told["text"], told["run"]) == ("One ", "cancelled")


@proves_chat("useChat: a cut connection is an error", "useChat: resume after a cut")
@every
def test_a_cut_is_an_error_and_a_resume_completes_the_text(chat: Scene) -> None:
    told = chat("cut")

    assert (told["broken"]["text"], told["broken"]["finished"][0]["isError"]) == ("One ", True)
    assert told["whole"]["text"] == "One two."
    assert told["whole"]["runs"][0] == told["whole"]["runs"][1]


@proves_chat("useChat: resume in a second tab")
@every
def test_a_second_tab_resumes_a_chat_from_its_start(chat: Scene) -> None:
    told = chat("resume")

    assert [told[tab]["text"] for tab in ("first", "other")] == ["One two.", "One two."]
    assert told["other"]["runs"] == told["first"]["runs"]


@proves_chat("useChat: nothing to resume")
@every
def test_nothing_is_resumed_when_nothing_is_active(chat: Scene) -> None:
    told = chat("nothing to resume")

    assert (told["status"], told["text"], told["errors"]) == (204, None, [])


@proves_chat("useChat: stop a resumable run")
@every
def test_a_page_stops_a_run_that_outlives_its_readers(chat: Scene) -> None:
    told = chat("stop a kept one")

    assert (told["stopped"], told["run"], told["errors"]) == (204, "cancelled", [])


@proves_chat("useChat: chunks of an action's own")
@every
def test_chunks_of_an_actions_own_are_data_and_text(chat: Scene) -> None:
    progress = {"type": "progress", "current": 1, "total": 2, "message": None, "percent": 50}

    assert chat("own chunks") == [
        ["step-start", None],
        ["data-progress", progress],
        ["data-chunk", {"price": 3}],
        ["text", "bare"],
    ]


@proves_chat("useChat: reasoning, tools, sources, files, data, metadata and steps")
@every
def test_every_chunk_of_a_model_is_a_part_that_the_version_knows(chat: Scene, version: str) -> None:
    told = chat("parts")

    kinds = [part["type"] for part in told["parts"]]
    custom = ["custom"] if version == "7" else []
    assert kinds == [
        "step-start",
        "reasoning",
        "tool-weather",
        "tool-weather",
        "tool-weather",
        "step-start",
        "text",
        "source-url",
        "source-document",
        "file",
        "data-plot",
        "data-plan",
        *custom,
    ]
    done, failed, malformed = (part for part in told["parts"] if part["type"] == "tool-weather")
    assert (done["state"], done["output"]) == ("output-available", {"sky": "rain"})
    assert (failed["state"], failed["errorText"]) == ("output-error", "No city.")
    assert (malformed["state"], malformed["errorText"]) == ("output-error", "Not JSON.")
    plan = next(part for part in told["parts"] if part["type"] == "data-plan")
    assert (plan["data"], told["data"].count("data-hint")) == ({"n": 2}, 1)
    usage = {"inputTokens": 12, "outputTokens": 3, "totalTokens": 15}
    assert told["metadata"] == {"model": "local", "usage": usage}
    assert told["isRun"]
    if version != "5":
        assert told["finished"][0]["finishReason"] == "length"


@proves_approving("useChat: tool approval")
@approving
def test_a_tool_is_approved_in_the_chat_and_the_same_run_goes_on(chat: Scene) -> None:
    told = chat("approve")

    assert (told["asked"], told["elsewhere"], told["paused"]) == (
        "approval-requested",
        "approval-requested",
        "ready",
    )
    assert (told["tool"], told["output"], told["text"]) == ("output-available", "deleted", "Done.")
    assert (told["runs"][0], told["errors"]) == (told["runs"][1], [])


@proves_approving("useChat: a denied tool")
@approving
def test_a_tool_that_is_denied_has_no_output(chat: Scene) -> None:
    told = chat("deny")

    assert (told["tool"], told["text"], told["errors"]) == ("output-denied", "Kept.", [])


@proves("ai500", "DefaultChatTransport: every chunk")
def test_the_strict_parser_of_the_first_release_of_version_5_takes_every_frame(
    told: Told,
) -> None:
    scene = told("aistrict")["every chunk"]

    assert scene["failed"] == []
    assert scene["types"][0] == "start"
    assert scene["types"][-1] == "finish"


@proves_chat("useCompletion: data and text, errors, stop, a cut connection")
@every
@pytest.mark.parametrize("protocol", ["data", "text"])
def test_a_completion_streams_and_tells_errors_stops_and_cuts(
    told: Told, version: str, framework: str, protocol: str
) -> None:
    seen = told(f"aiuses:{version}")
    scenes = {
        each: seen[f"{framework} {protocol} {each}"]
        for each in ("hello", "fail", "fails", "stop", "cut")
    }

    assert scenes["hello"]["finished"] == ["Jane Austen."]
    assert scenes["fail"]["errors"] == ["Your credit is used up."]
    assert (scenes["fails"]["text"], len(scenes["fails"]["errors"])) == ("Half", 1)
    assert (scenes["stop"]["text"], scenes["stop"]["run"]) == ("One ", "cancelled")
    assert (scenes["cut"]["text"], len(scenes["cut"]["errors"])) == ("One ", 1)
    assert [scenes[each]["finished"] for each in ("fail", "fails", "stop", "cut")] == [[]] * 4
    assert not any(scene["loading"] for scene in scenes.values())


@proves_chat("useObject: partial JSON, a result")
@every
def test_an_object_is_built_from_a_text_or_from_the_result(
    told: Told, version: str, framework: str
) -> None:
    seen = told(f"aiuses:{version}")
    whole = seen[f"{framework} object cake"]

    assert whole["object"] == {"steps": ["Buy flour", "Bake"]}
    assert whole["finished"] == [whole["object"]]
    assert seen[f"{framework} object of a result"]["object"] == {"steps": ["cake"]}


@proves_chat("useObject: errors, stop, a cut connection")
@every
def test_an_object_that_is_not_whole_is_never_finished(
    told: Told, version: str, framework: str
) -> None:
    seen = told(f"aiuses:{version}")
    scenes = {
        each: seen[f"{framework} object {each}"] for each in ("refused", "broken", "stop", "cut")
    }

    assert scenes["refused"]["errors"] == ["The input is not valid."]
    assert [len(scenes[each]["errors"]) for each in ("broken", "cut")] == [1, 1]
    assert (scenes["stop"]["errors"], scenes["stop"]["run"]) == ([], "cancelled")
    partial = [scenes[each]["object"] for each in ("broken", "stop", "cut")]
    assert partial == [{"steps": ["Buy"]}] * 3
    assert [scene["finished"] for scene in scenes.values()] == [[]] * 4


@proves_ai("TextStreamChatTransport")
@pytest.mark.parametrize("version", VERSIONS)
def test_a_chat_over_a_text_stream_is_never_whole_after_an_error(told: Told, version: str) -> None:
    scenes = told(f"aiuses:{version}")

    assert scenes["text chat hello"] == {"status": "ready", "text": "Jane Austen.", "errors": []}
    assert (scenes["text chat fails"]["status"], scenes["text chat fails"]["text"]) == (
        "error",
        "Half",
    )


@proves("@ai-sdk/workflow", "WorkflowChatTransport: two cuts")
def test_a_workflow_transport_survives_two_cuts(told: Told) -> None:
    scene = told("aiworkflow")["two cuts"]

    assert (scene["text"], scene["status"], scene["errors"]) == ("One two three.", "ready", [])
    assert scene["urls"] == ["", "/RUN/stream?startIndex=4", "/RUN/stream?startIndex=5"]


@proves("@ai-sdk/workflow", "WorkflowChatTransport: a negative startIndex")
def test_a_workflow_transport_reads_the_tail(told: Told) -> None:
    scene = told("aiworkflow")["the tail"]

    assert (scene["urls"], scene["tail"]) == (["/workflow-tail/stream?startIndex=-1"], "4")
    assert (scene["status"], scene["errors"]) == ("ready", [])


@proves("@ai-sdk/workflow", "WorkflowChatTransport: a run that is stopped elsewhere")
def test_a_workflow_transport_does_not_wait_for_a_run_that_was_stopped(told: Told) -> None:
    scene = told("aiworkflow")["cancelled elsewhere"]

    assert (scene["run"], scene["status"], len(scene["urls"])) == ("cancelled", "ready", 1)


@proves("@ai-sdk/workflow", "WorkflowChatTransport: an error after the first chunk")
def test_a_workflow_transport_tells_an_error(told: Told) -> None:
    scene = told("aiworkflow")["fails"]

    assert (scene["errors"], scene["finished"][0]["isError"]) == (["Your credit is used up."], True)


@proves("@ai-sdk/ui-utils", "useChat and useCompletion of version 4: the data stream")
def test_version_4_reads_the_data_stream(told: Told) -> None:
    scenes = told("ailegacy")

    content, reason, usage = scenes["parts"]["finished"][0]
    assert (content, reason, usage["totalTokens"]) == ("It rains.", "length", 15)
    kinds = [part["type"] for part in scenes["parts"]["message"]["parts"]]
    assert kinds == ["step-start", "reasoning", *["tool-invocation"] * 3, "text", "source", "file"]
    assert scenes["hello"]["finished"][0][0] == "Jane Austen."
    assert scenes["completion"]["finished"] == ["Jane Austen."]


@proves("@ai-sdk/ui-utils", "version 4: errors, stop, a cut connection")
def test_version_4_tells_errors_stops_and_cuts(told: Told) -> None:
    scenes = told("ailegacy")

    assert scenes["fail"]["errors"] == ["Your credit is used up."]
    assert scenes["fails"]["errors"] == ["Your credit is used up."]
    assert scenes["stop"]["run"] == "cancelled"
    assert scenes["cut"]["errors"] == ["terminated"]
    assert [scenes[each]["finished"] for each in ("fail", "fails", "stop", "cut")] == [[]] * 4


@proves("@ai-sdk/ui-utils", "version 4: resume")
def test_version_4_resumes_by_the_id_of_its_chat(told: Told) -> None:
    scene = told("ailegacy")["cut"]

    assert scene["resumed"][1:4] == ['0:"One "', '0:"two "', '0:"three."']
    assert scene["again"] == 404


@proves("ai7", "WebSocketChatTransport: send, errors")
def test_a_socket_carries_a_chat_and_its_errors(told: Told) -> None:
    seen = told("aisocket")

    assert (seen["text"]["text"], seen["text"]["errors"]) == ("Jane Austen.", [])
    assert seen["fail before"]["errors"] == ["Your credit is used up."]
    assert seen["fail after"]["errors"] == ["Your credit is used up."]
    assert (seen["fail after"]["text"], seen["fail after"]["status"]) == ("Half", "error")


@proves("ai7", "WebSocketChatTransport: stop, also of a resumable run")
def test_a_stop_over_a_socket_stops_the_run(told: Told) -> None:
    seen = told("aisocket")["stop"]

    assert (seen["text"], seen["errors"], seen["finished"][0]["isAbort"]) == ("One ", [], True)


@proves(
    "ai7", "WebSocketChatTransport: a cut connection is an error", "WebSocketChatTransport: resume"
)
def test_a_cut_socket_is_an_error_and_a_resume_completes_the_text(told: Told) -> None:
    seen = told("aisocket")["cut and resume"]

    assert (seen["broken"]["text"], seen["broken"]["finished"][0]["isError"]) == ("One ", True)
    assert seen["whole"]["text"] == "One two three."
    assert told("aisocket")["nothing to resume"]["errors"] == []
