"""The server that the conversations are with."""

import pytest

from tests.conftest import Serve
from tests.support.server import ThreadServer
from tests.support.story import Story


@pytest.fixture
def story() -> Story:
    return Story()


@pytest.fixture
def server(serve: Serve, story: Story) -> ThreadServer:
    server = serve(story, actions=story.actions)
    story.loop = server.loop
    return server
