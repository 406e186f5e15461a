"""The lines of the AI SDK's data stream, from the events of a run."""

from pydantic_core import from_json, to_json

from tests.vendor.aiworld import PARTS
from yieldwire.ai import ModelFailed, ModelFile
from yieldwire.dialects.ailegacy import AILegacyEncoder
from yieldwire.log.events import Event, EventType


def lines(encoder: AILegacyEncoder, *values: object) -> list[tuple[str, object]]:
    events = [Event(seq, EventType.CHUNK, to_json(value)) for seq, value in enumerate(values, 1)]
    parts = [line.decode().partition(":") for each in events for line in encoder.chunk(each)]
    return [(code, from_json(json)) for code, _, json in parts]


def test_every_chunk_of_a_model_is_a_line_or_kept_for_the_end() -> None:
    encoder = AILegacyEncoder()

    codes = [code for code, _ in lines(encoder, *PARTS)]
    end = [line[:2] for line in encoder.done(Event(99, EventType.DONE, b'{"result":1}'))]

    assert "".join(codes) == "ggbc9a9abca" + "00h2k" + "22222" + "8"
    assert end == [b"2:", b"e:", b"d:"]


def test_a_chunk_of_an_actions_own_is_data_or_text() -> None:
    found = lines(AILegacyEncoder(), "bare", {"type": "usage", "cpu": 1}, 3)

    assert found == [("0", "bare"), ("2", [{"type": "usage", "cpu": 1}]), ("2", [3])]


def test_a_file_at_a_place_of_its_own_is_left_out() -> None:
    assert lines(AILegacyEncoder(), ModelFile("https://a.example/x.png", "image/png")) == []


def test_an_error_and_a_keepalive_are_lines() -> None:
    encoder = AILegacyEncoder()

    assert list(encoder.error(ModelFailed().error_object())) == [
        b'3:"The model did not complete its answer. Try again."\n'
    ]
    assert encoder.keepalive() == b"2:[]\n"
