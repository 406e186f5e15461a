import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from yieldwire import Actions
from yieldwire.cli.source import LoadFailed, is_url, load, path_of
from yieldwire.errors import UsageError

MAKE = "from yieldwire import Actions\n"


@pytest.fixture(autouse=True)
def imports_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def write(path: Path, content: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return str(path)


@pytest.mark.parametrize(
    "content", ["actions = Actions()", "app = Actions()", "whatever = Actions()"]
)
def test_the_application_is_found(tmp_path: Path, content: str) -> None:
    assert isinstance(load(write(tmp_path / "served.py", MAKE + content)), Actions)


def test_actions_is_taken_where_there_are_several(tmp_path: Path) -> None:
    file = write(tmp_path / "served.py", MAKE + "other = Actions()\nactions = Actions()\n")

    assert load(file) is sys.modules["served"].actions


def test_an_application_can_be_named(tmp_path: Path) -> None:
    content = MAKE + "class Parts:\n    admin = Actions()\nactions = Actions()\n"
    file = write(tmp_path / "served.py", content)

    found = load(f"{file}:Parts.admin")

    assert found is not sys.modules["served"].actions


def test_a_file_of_a_package_is_imported_as_a_part_of_it(tmp_path: Path) -> None:
    write(tmp_path / "shop" / "__init__.py", "")
    write(tmp_path / "shop" / "parts.py", MAKE + "made = Actions()")
    file = write(tmp_path / "shop" / "served.py", "from shop.parts import made as actions")

    assert isinstance(load(file), Actions)
    assert "shop.served" in sys.modules


def test_a_file_can_go_by_the_name_of_a_module_that_is_there(tmp_path: Path) -> None:
    file = write(tmp_path / "json.py", MAKE + "actions = Actions()")

    assert isinstance(load(file), Actions)
    assert hasattr(sys.modules["json"], "loads")


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        ("", "", "has no application; it needs `actions = Actions"),
        (MAKE + "a = Actions()\nb = Actions()", "", "several applications; name one: .*:a"),
        (MAKE + "a = Actions()", ":b", "has no 'b'"),
        ("a = 1", ":a", "is of the type int, not Actions"),
        (
            MAKE + "import asyncio\nactions = Actions()\nasyncio.run(actions.app.close())",
            "",
            "has closed its application during the import",
        ),
    ],
)
def test_what_is_missing_is_said(tmp_path: Path, content: str, name: str, message: str) -> None:
    file = write(tmp_path / "served.py", content)

    with pytest.raises(UsageError, match=message):
        load(file + name)


def test_a_file_that_is_not_there_is_said_not_to_be() -> None:
    with pytest.raises(UsageError, match=r"There is no file nowhere\.py"):
        load("nowhere.py")


def test_what_is_not_a_python_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a Python file"):
        load(write(tmp_path / "served.txt", ""))


def test_a_file_that_fails_shows_the_users_own_frames_alone(tmp_path: Path) -> None:
    content = MAKE + "actions = Actions()\n\n@actions.action\ndef f(*args: int) -> int: ...\n"
    file = write(tmp_path / "served.py", content)

    with pytest.raises(LoadFailed, match="cannot be imported") as caught:
        load(file)

    details = caught.value.details
    assert 'served.py", line 4' in details
    assert "cannot be given by name" in details
    assert "registry.py" not in details
    assert "importlib" not in details
    assert "served" not in sys.modules


def test_a_mistake_in_the_syntax_is_shown_where_it_is(tmp_path: Path) -> None:
    with pytest.raises(LoadFailed, match="cannot be imported") as caught:
        load(write(tmp_path / "served.py", "def f(:\n"))

    assert "SyntaxError" in caught.value.details
    assert 'served.py", line 1' in caught.value.details


def test_a_file_that_leaves_is_one_that_fails(tmp_path: Path) -> None:
    with pytest.raises(LoadFailed, match="cannot be imported"):
        load(write(tmp_path / "served.py", "raise SystemExit(3)"))


def test_an_address_is_not_a_file() -> None:
    assert is_url("https://example.com")
    assert not is_url("app.py")
    assert path_of("app.py:actions") == Path("app.py")
    assert path_of("C:/app.py") == Path("C:/app.py")
