import sys
from types import ModuleType

import httpx
import httpx2
import pytest

from yieldwire.client import Client
from yieldwire.client.http import is_lost, was_sent
from yieldwire.errors import MissingDependency


def test_without_httpx2_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx2", None)

    with pytest.raises(MissingDependency, match=r"pip install 'yieldwire\[client\]'"):
        Client("http://127.0.0.1:9/api")


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_the_network_fails_in_both_libraries_words(library: ModuleType) -> None:
    assert is_lost(library.ReadError("reset"))
    assert is_lost(library.RemoteProtocolError("cut off"))
    assert not is_lost(library.LocalProtocolError("an illegal header"))
    assert not is_lost(library.UnsupportedProtocol("ftp"))
    assert not is_lost(KeyError("something else"))


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_what_was_never_connected_was_never_sent(library: ModuleType) -> None:
    for name in ("ConnectError", "ConnectTimeout", "PoolTimeout"):
        assert not was_sent(getattr(library, name)("no"))
    for name in ("ReadError", "WriteError", "ReadTimeout", "RemoteProtocolError"):
        assert was_sent(getattr(library, name)("no"))
