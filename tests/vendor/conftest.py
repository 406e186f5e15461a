from collections.abc import Iterator

import pytest

from tests.support.server import ThreadServer
from tests.vendor.world import new_actions, new_site


@pytest.fixture(scope="session")
def vendor_url() -> Iterator[str]:
    """Serve every dialect, once for all clients."""
    actions = new_actions()
    with ThreadServer(new_site(actions), actions=actions) as server:
        yield server.url
