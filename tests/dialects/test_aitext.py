"""The bytes of the AI SDK's text streams, from the events of a run."""

from yieldwire.ai import ModelFailed
from yieldwire.dialects.aitext import AITextEncoder
from yieldwire.log.events import Event, EventType


def chunk(data: bytes) -> Event:
    return Event(1, EventType.CHUNK, data)


def test_only_text_is_sent_and_the_result_if_there_was_none() -> None:
    spoken, silent = AITextEncoder(), AITextEncoder()
    done = Event(9, EventType.DONE, b'{"result":{"x":1}}')

    texts = [*spoken.chunk(chunk(b'{"type":"text","text":"a"}')), *spoken.chunk(chunk(b"[1]"))]

    assert texts == [b"a"]
    assert list(spoken.done(done)) == []
    assert list(silent.done(done)) == [b'{"x":1}']


def test_nothing_but_text_can_be_said() -> None:
    encoder = AITextEncoder()

    assert encoder.tells_errors is False
    assert list(encoder.error(ModelFailed().error_object())) == []
    assert encoder.keepalive() == b""
