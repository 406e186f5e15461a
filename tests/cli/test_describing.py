"""The OpenAPI document from the command line: written, kept current, checked, and valid."""

import json
from pathlib import Path

import pytest
from openapi_spec_validator import validate

from tests.cli.terminal import APP, run, run_python, running

EXAMPLES = Path(__file__).parents[2] / "examples"
SERVED = sorted(
    file
    for file in EXAMPLES.rglob("*.py")
    if "actions = Actions(" in file.read_text("utf-8") and "django" not in file.parts
)
EVERY = """
import json
import sys

from yieldwire.cli.source import load_source
from yieldwire.describe.openapi import document

every = [each for file in sys.argv[1:] for each in load_source(file).actions]
print(json.dumps(document(one for each in every for one in each.app.registry.actions)))
"""
"""Prints one document of the actions in several files, because a validation takes long."""
FASTAPI = """
from typing import Annotated

from fastapi import Depends, FastAPI
from fastapi.security import OAuth2PasswordBearer

from yieldwire import Actions, OpenAPI
from yieldwire.integrations.fastapi import mount

app = FastAPI(title="Shop")
actions = Actions(openapi=OpenAPI(title="Not shown"))


@actions.action
async def count(to: int, token: Annotated[str, Depends(OAuth2PasswordBearer("token"))]) -> int:
    return to


@app.get("/me")
async def me() -> str:
    return ""


mount(app, actions)
"""


def test_what_every_example_says_of_its_actions_is_valid() -> None:
    ended = run_python("-c", EVERY, *map(str, SERVED), cwd=EXAMPLES.parent)

    assert ended.code == 0, ended.err
    described = json.loads(ended.out)
    validate(described)
    assert {"/typewriter", "/write_invoices"} <= described["paths"].keys()


def test_what_the_example_of_django_says_of_its_actions_is_valid() -> None:
    project = EXAMPLES / "hosts" / "django"

    ended = run_python("manage.py", "yieldwire", "openapi", cwd=project)

    assert ended.code == 0, ended.err
    described = json.loads(ended.out)
    validate(described)
    assert {"/import_notes", "/chat"} <= described["paths"].keys()


def test_a_document_is_written_into_a_file_and_checked(folder: Path) -> None:
    written = run("openapi", "app.py", "-o", "openapi.json", cwd=folder)
    checked = run("openapi", "app.py", "-o", "openapi.json", "--check", cwd=folder)
    folder.joinpath("app.py").write_text(APP.replace("One by one.", "Step by step."))
    outdated = run("openapi", "app.py", "-o", "openapi.json", "--check", cwd=folder)

    assert (written.code, written.out, written.err) == (0, "", "Wrote openapi.json.\n")
    assert (checked.code, checked.err) == (0, "openapi.json is up to date.\n")
    assert outdated.code == 1
    assert "Step by step." in outdated.out


def test_a_document_is_written_again_at_each_change(folder: Path) -> None:
    with running("openapi", "app.py", "-o", "api.json", "--watch", cwd=folder) as command:
        command.wait_for_note("Wrote")

        folder.joinpath("app.py").write_text(
            APP + "\n@actions.action\nasync def added() -> None: ...\n"
        )
        command.wait_for_note("Wrote")

    assert "/added" in json.loads(folder.joinpath("api.json").read_text("utf-8"))["paths"]


def test_a_document_says_where_the_actions_are_served(folder: Path) -> None:
    usual = run("openapi", "app.py", cwd=folder)
    named = run("openapi", "app.py", "--server", "https://example.com/x", cwd=folder)

    servers = [json.loads(ended.out)["servers"] for ended in (usual, named)]
    assert servers == [[{"url": "/api/_actions"}], [{"url": "https://example.com/x"}]]


def test_the_document_of_a_fastapi_application_is_its_own(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(FASTAPI)

    ended = run("openapi", "app.py", "--server", "https://example.com", cwd=tmp_path)

    described = json.loads(ended.out)
    validate(described)
    assert described["info"]["title"] == "Shop"
    assert described["servers"] == [{"url": "https://example.com"}]
    assert described["paths"].keys() > {"/me", "/api/_actions/count", "/api/_actions/runs/{id}"}
    operation = described["paths"]["/api/_actions/count"]["post"]
    assert operation["security"] == [{"OAuth2PasswordBearer": []}]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--check"], "name it with -o"),
        (["--watch"], "name it with -o"),
        (["-o", "api.json", "--watch", "--check"], "cannot be combined"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    folder: Path, options: list[str], message: str
) -> None:
    ended = run("openapi", "app.py", *options, cwd=folder)

    assert (ended.code, message in ended.err) == (2, True)
