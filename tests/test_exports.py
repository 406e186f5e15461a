"""What `from yieldwire import *` and the other packages export."""

import inspect
from importlib import import_module

import pytest


@pytest.mark.parametrize(
    "package",
    [
        "yieldwire",
        "yieldwire.client",
        "yieldwire.dialects",
        "yieldwire.errors",
        "yieldwire.testing",
        "yieldwire.testing.contract",
    ],
)
def test_a_package_exports_what_is_its_own_and_no_modules(package: str) -> None:
    module = import_module(package)

    exported = {name: getattr(module, name) for name in module.__all__}

    own = {
        name
        for name, value in vars(module).items()
        if inspect.isclass(value) and value.__module__ == package
    }
    assert own <= set(exported)
    assert not any(map(inspect.ismodule, exported.values()))
    assert list(exported) == sorted(exported, key=lambda name: (not name.isupper(), name))
