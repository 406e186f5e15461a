"""The guide to FastAPI: its application and its test, as they are."""

from typing import cast

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.docs.conftest import Load


def test_the_test_of_the_guide_passes(load: Load) -> None:
    load("use-in-fastapi.md")["test_main"].test_rows_are_imported_for_the_user()


def test_routes_and_actions_know_the_same_user(load: Load) -> None:
    app = cast("FastAPI", load("use-in-fastapi.md")["main"].app)

    with TestClient(app, headers={"authorization": "Bearer s3cret"}) as client:
        route = client.get("/me")
        action = client.post("/api/_actions/import_rows", json={"rows": 2})
        runs = client.get("/api/_actions/runs")

    assert route.json() == {"name": "ada"}
    assert "Row 2, for ada" in action.text
    assert [run["action"] for run in runs.json()["runs"]] == ["import_rows"]


@pytest.mark.parametrize("path", ["/me", "/api/_actions/runs"])
def test_routes_and_actions_refuse_an_unknown_caller_in_the_same_way(load: Load, path: str) -> None:
    app = cast("FastAPI", load("use-in-fastapi.md")["main"].app)

    answer = TestClient(app, headers={"authorization": "Bearer other"}).get(path)

    assert (answer.status_code, answer.json()["detail"]) == (401, "Sign in again.")
