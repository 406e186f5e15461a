"""What every dialect guarantees, of each of them and of one that nobody speaks."""

from collections.abc import Iterator
from typing import Any, ClassVar, Final
from urllib.parse import quote

import pytest
from pydantic_core import from_json, to_json
from starlette.types import ASGIApp

from tests.dialects.test_fictive import Parrot, ParrotEncoder
from yieldwire import Actions
from yieldwire.dialects import (
    AISDK,
    ORPC,
    RSC,
    TRPC,
    AILegacy,
    AIText,
    Dialect,
    DialectEncoder,
    NuxtActions,
    TanStackStart,
)
from yieldwire.dialects.ailegacy import AILegacyEncoder
from yieldwire.dialects.aitext import AITextEncoder
from yieldwire.dialects.nuxt import NuxtEncoder
from yieldwire.dialects.orpc import ORPCEncoder
from yieldwire.dialects.rsc import RSCEncoder
from yieldwire.dialects.seroval import Writer, unescape
from yieldwire.dialects.tanstack import TanStackEncoder
from yieldwire.dialects.trpc import TRPCEncoder
from yieldwire.dialects.uistream import UIStreamEncoder
from yieldwire.errors import Json
from yieldwire.log.chunks import text_of
from yieldwire.testing import DialectContract, DialectHarness, ForeignAnswer, ForeignRequest, Heard

JSON: Final = {"content-type": "application/json"}


class Harness:
    """What the harnesses here have in common: a client that cannot come back."""

    dialect: ClassVar[type[Dialect]]
    stops_by_leaving: bool = True

    def serve(self, actions: Actions) -> ASGIApp:
        return self.dialect(actions)

    def resume(self, run_id: str, received: bytes) -> ForeignRequest | None:
        return None


class NuxtHarness(Harness):
    dialect = NuxtActions
    encoder = NuxtEncoder

    def start(self, action: str, value: Json) -> ForeignRequest:
        headers = {**JSON, "accept": "text/event-stream"}
        return ForeignRequest(path=f"/{action}", headers=headers, body=to_json(value))

    def read(self, answer: ForeignAnswer) -> Heard:
        text = ""
        for line in answer.body.decode("utf-8", "ignore").split("\n")[:-1]:
            if not line.startswith("data:"):
                continue
            value = from_json(line.removeprefix("data: "))
            if error := value.get("__actions_error"):
                return Heard(text=text, end="error", code=error["code"])
            if value.get("__actions_done"):
                return Heard(text=text, end="done")
            text += text_of(to_json(value)) or ""
        return Heard(text=text, end=None if answer.status == 200 else "error")


class ORPCHarness(Harness):
    encoder = ORPCEncoder
    stops_by_leaving = False

    def serve(self, actions: Actions) -> ASGIApp:
        return ORPC(actions, resumable=True)

    def start(self, action: str, value: Json) -> ForeignRequest:
        return ForeignRequest(path=f"/{action}", headers=JSON, body=to_json({"json": value}))

    def resume(self, run_id: str, received: bytes) -> ForeignRequest | None:
        whole = received[: received.rfind(b"\n\n") + 2]
        ids = [line for line in whole.split(b"\n") if line.startswith(b"id: ")]
        if not ids:
            return None
        headers = {**JSON, "last-event-id": ids[-1].removeprefix(b"id: ").decode()}
        return ForeignRequest(path="/say", headers=headers, body=b"{}")

    def read(self, answer: ForeignAnswer) -> Heard:
        if answer.status >= 400:
            return Heard(end="error", code=_orpc_code(answer.body))
        text = ""
        for frame in answer.body.decode("utf-8", "ignore").split("\n\n")[:-1]:
            fields = dict(line.split(": ", 1) for line in frame.split("\n") if line[0] != ":")
            match fields.get("event"):
                case "message":
                    text += text_of(to_json(from_json(fields["data"])["json"])) or ""
                case "error":
                    return Heard(text=text, end="error", code=_orpc_code(fields["data"].encode()))
                case "done":
                    return Heard(text=text, end="done")
                case _:
                    pass
        return Heard(text=text)


def _orpc_code(body: bytes) -> str:
    try:
        code: str = from_json(body)["json"]["code"]
    except ValueError:
        return ""
    return {"INTERNAL_SERVER_ERROR": "INTERNAL_ERROR", "BAD_REQUEST": "VALIDATION_ERROR"}.get(
        code, code
    )


class TRPCHarness(Harness):
    dialect = TRPC
    stops_by_leaving = False

    def encoder(self) -> TRPCEncoder:
        return TRPCEncoder("say")

    def start(self, action: str, value: Json) -> ForeignRequest:
        target = f"/{action}?input={quote(to_json(value))}"
        return ForeignRequest(method="GET", path=target, headers={"accept": "text/event-stream"})

    def resume(self, run_id: str, received: bytes) -> ForeignRequest | None:
        whole = received[: received.rfind(b"\n\n\n") + 3]
        ids = [line for line in whole.split(b"\n") if line.startswith(b"id: ")]
        if not ids:
            return None
        headers = {
            "accept": "text/event-stream",
            "last-event-id": ids[-1].removeprefix(b"id: ").decode(),
        }
        return ForeignRequest(method="GET", path="/say", headers=headers)

    def read(self, answer: ForeignAnswer) -> Heard:
        text = ""
        for frame in answer.body.decode("utf-8", "ignore").split("\n\n\n")[:-1]:
            fields = dict(line.split(": ", 1) for line in frame.split("\n"))
            match fields.get("event", "message"):
                case "message":
                    text += text_of(fields["data"].encode()) or ""
                case "serialized-error":
                    code = from_json(fields["data"])["data"]["reason"]
                    return Heard(text=text, end="error", code=code)
                case "return":
                    return Heard(text=text, end="done")
                case _:
                    pass
        return Heard(text=text)


class RSCHarness(Harness):
    dialect = RSC
    encoder = RSCEncoder

    def start(self, action: str, value: Json) -> ForeignRequest:
        return ForeignRequest(path=f"/{action}", headers=JSON, body=to_json(value))

    def read(self, answer: ForeignAnswer) -> Heard:
        rows: dict[str, Any] = {}
        for line in answer.body.split(b"\n")[:-1]:
            number, _, json = line.partition(b":")
            rows[number.decode()] = from_json(json)
        text, row = "", rows.get("0")
        while row is not None:
            if "error" in row:
                return Heard(text=text, end="error", code=row["error"]["code"])
            if "curr" in row or "diff" in row:
                piece = row["diff"][1] if "diff" in row else row["curr"]
                text += piece.removeprefix("$")
            if "next" not in row:
                return Heard(text=text, end="done")
            row = rows.get(row["next"].removeprefix("$@"))
        return Heard(text=text)


class TanStackHarness(Harness):
    dialect = TanStackStart
    encoder = TanStackEncoder

    def start(self, action: str, value: Json) -> ForeignRequest:
        document = {"t": Writer().write({"data": value}), "f": 127, "m": []}
        return ForeignRequest(path=f"/{action}", headers=JSON, body=to_json(document))

    def read(self, answer: ForeignAnswer) -> Heard:
        if answer.body.startswith(b"{"):  # not framed: there is no stream
            return _whole(answer.body)
        text = ""
        for step in _frames(answer.body):
            if step["t"] == 32:
                members = step["f"]["p"]
                value = dict(zip(members["k"], members["v"], strict=True))
                text += unescape(value["text"]["s"])
            elif step["t"] == 33:
                return Heard(text=text, end="error", code=_code(step["f"]))
            elif step["t"] == 34:
                return Heard(text=text, end="done")
        return Heard(text=text)


def _whole(body: bytes) -> Heard:
    try:
        node = from_json(body)
    except ValueError:
        return Heard()
    (error,) = node["p"]["v"]
    return Heard(end="error", code=_code(error))


def _frames(body: bytes) -> Iterator[Any]:
    while len(body) >= 9 and len(body) >= 9 + (size := int.from_bytes(body[5:9])):
        yield from_json(body[9 : 9 + size])
        body = body[9 + size :]


def _code(error: Any) -> str:  # noqa: ANN401 - a node
    members = dict(zip(error["p"]["k"], error["p"]["v"], strict=True))
    code: str = members["code"]["s"]
    return code


class ParrotHarness(Harness):
    dialect = Parrot
    encoder = ParrotEncoder
    stops_by_leaving = False

    def start(self, action: str, value: Json) -> ForeignRequest:
        return ForeignRequest(body=to_json({"say": action, "to": value}))

    def resume(self, run_id: str, received: bytes) -> ForeignRequest | None:
        return ForeignRequest(body=to_json({"again": run_id, "after": received.count(b"\n")}))

    def read(self, answer: ForeignAnswer) -> Heard:
        text = ""
        for line in answer.body.split(b"\n")[:-1]:
            if line.startswith(b"+"):
                text += text_of(line[1:]) or ""
            elif line == b".done":
                return Heard(text=text, end="done")
            elif line:
                return Heard(text=text, end="error", code=line[1:].decode())
        return Heard(text=text, end=None if answer.status == 200 else "error")


class TestNuxt(DialectContract):
    @pytest.fixture
    def harness(self) -> DialectHarness:
        return NuxtHarness()


class TestORPC(DialectContract):
    @pytest.fixture
    def harness(self) -> DialectHarness:
        return ORPCHarness()


class TestTRPC(DialectContract):
    @pytest.fixture
    def harness(self) -> DialectHarness:
        return TRPCHarness()


class TestRSC(DialectContract):
    @pytest.fixture
    def harness(self) -> DialectHarness:
        return RSCHarness()


class TestTanStack(DialectContract):
    @pytest.fixture
    def harness(self) -> DialectHarness:
        return TanStackHarness()


class TestFictive(DialectContract):
    @pytest.fixture
    def harness(self) -> DialectHarness:
        return ParrotHarness()


class AISDKHarness(Harness):
    dialect = AISDK

    def encoder(self) -> DialectEncoder:
        return UIStreamEncoder(7)

    def start(self, action: str, value: Json) -> ForeignRequest:
        return ForeignRequest(path=f"/{action}", headers=JSON, body=to_json(value))

    def read(self, answer: ForeignAnswer) -> Heard:
        text = ""
        for frame in parts_of(answer.body):
            if frame["type"] == "text-delta":
                text += frame["delta"]
            elif frame["type"] in {"error", "abort"}:
                return Heard(text=text, end="error")
            elif frame["type"] == "finish":
                return Heard(text=text, end="done")
        return Heard(text=text, end=None if answer.status == 200 else "error")


class ResumableAISDKHarness(AISDKHarness):
    stops_by_leaving = False

    def __init__(self) -> None:
        self._action = ""

    def serve(self, actions: Actions) -> ASGIApp:
        return AISDK(actions, resumable=True)

    def start(self, action: str, value: Json) -> ForeignRequest:
        self._action = action
        return super().start(action, value)

    def resume(self, run_id: str, received: bytes) -> ForeignRequest | None:
        index = len(parts_of(received))
        path = f"/{self._action or 'say'}/{run_id}/stream?startIndex={index}"
        return ForeignRequest(method="GET", path=path)


def parts_of(body: bytes) -> list[Any]:
    frames = body.split(b"\n\n")[:-1]
    return [
        from_json(each.removeprefix(b"data: ")) for each in frames if each.startswith(b"data: {")
    ]


class AILegacyHarness(Harness):
    dialect = AILegacy
    encoder = AILegacyEncoder

    def start(self, action: str, value: Json) -> ForeignRequest:
        return ForeignRequest(path=f"/{action}", headers=JSON, body=to_json(value))

    def read(self, answer: ForeignAnswer) -> Heard:
        text = ""
        for line in answer.body.split(b"\n")[:-1]:
            code, _, value = line.partition(b":")
            if code == b"0":
                text += from_json(value)
            elif code in {b"3", b"d"}:
                return Heard(text=text, end="error" if code == b"3" else "done")
        return Heard(text=text, end=None if answer.status == 200 else "error")


class AITextHarness(Harness):
    dialect = AIText
    encoder = AITextEncoder

    def start(self, action: str, value: Json) -> ForeignRequest:
        return ForeignRequest(path=f"/{action}", headers=JSON, body=to_json(value))

    def read(self, answer: ForeignAnswer) -> Heard:
        if answer.status != 200:
            return Heard(end="error")
        text = answer.body.decode("utf-8", "ignore")
        return Heard(text=text, end="done" if answer.is_whole else None)


class TestAISDK(DialectContract):
    @pytest.fixture
    def harness(self) -> DialectHarness:
        return AISDKHarness()


class TestResumableAISDK(DialectContract):
    @pytest.fixture
    def harness(self) -> DialectHarness:
        return ResumableAISDKHarness()


class TestAILegacy(DialectContract):
    @pytest.fixture
    def harness(self) -> DialectHarness:
        return AILegacyHarness()


class TestAIText(DialectContract):
    @pytest.fixture
    def harness(self) -> DialectHarness:
        return AITextHarness()
