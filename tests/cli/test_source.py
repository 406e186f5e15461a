import sys
from pathlib import Path

import pytest

from yieldwire import Actions
from yieldwire.cli.source import LoadFailed, is_url, load, load_source, path_of
from yieldwire.errors import UsageError

MAKE = "from yieldwire import Actions\n"
HOST = """
from fastapi import FastAPI
from yieldwire import Actions

inner = Actions()
app = FastAPI()
app.mount("/inner", inner)


def create_app():
    return app


async def create_later():
    return app


def create_broken():
    return 1 / 0
"""


pytestmark = pytest.mark.usefixtures("imports_as_before")


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
        (HOST, ":create_later", "is a coroutine function"),
        (HOST.replace("app = FastAPI()", "site = app = FastAPI()"), ":FastAPI", "is a class"),
        ("import fastapi\napp = fastapi.FastAPI()", "", "'app' in .* without actions: mount them"),
        (MAKE + "def create_app(): return Actions()", "", "write .*served.py:create_app"),
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


def test_the_file_of_a_target_is_its_first_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "app.py", "")

    assert path_of("app.py:actions") == path_of("app.py:create_app()") == Path("app.py")
    assert path_of(f"{tmp_path}/app.py") == tmp_path / "app.py"


@pytest.mark.parametrize(
    ("target", "meant"),
    [("app:actions", "app.py:actions"), ("shop.app:app", "shop/app.py:app"), ("app", "app.py")],
)
def test_the_name_of_a_module_is_told_to_be_written_as_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, meant: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "app.py", "")
    write(tmp_path / "shop" / "app.py", "")

    with pytest.raises(UsageError, match=rf"There is no file .*; write {meant}\."):
        path_of(target)


@pytest.mark.parametrize("name", ["", ":app", ":create_app", ":create_app()"])
def test_an_application_with_mounted_actions_is_served_as_a_whole(
    tmp_path: Path, name: str
) -> None:
    file = write(tmp_path / "served.py", HOST)

    source, module = load_source(file + name), sys.modules["served"]

    assert (source.host, source.places) == (module.app, {"/inner": module.inner})


def test_the_mounted_actions_can_be_named_to_be_served_alone(tmp_path: Path) -> None:
    source = load_source(write(tmp_path / "served.py", HOST) + ":inner")

    assert (source.host, list(source.places)) == (None, [""])


def test_to_call_the_only_mounted_actions_need_no_name(tmp_path: Path) -> None:
    file = write(tmp_path / "served.py", HOST)

    assert load(file) is sys.modules["served"].inner


def test_to_call_one_of_several_it_must_be_named(tmp_path: Path) -> None:
    file = write(tmp_path / "served.py", HOST + "app.mount('/other', Actions())\n")

    with pytest.raises(UsageError, match="has actions at /inner and /other; name one"):
        load(file)


def test_a_factory_that_fails_shows_the_users_own_frames(tmp_path: Path) -> None:
    file = write(tmp_path / "served.py", HOST)

    with pytest.raises(LoadFailed, match=r"create_broken\(\) in .*served.py has failed") as caught:
        load_source(file + ":create_broken")

    assert "in create_broken" in caught.value.details
    assert "source.py" not in caught.value.details
