"""Tests as FastAPI's own documentation writes them."""

from app import actions, app, current_user
from fastapi.testclient import TestClient


def test_an_import_belongs_to_the_user_who_is_signed_in() -> None:
    """The progress is streamed, and a route reads what the action wrote."""
    with TestClient(app) as client:
        client.post("/sign-in/ada")
        answer = client.post("/api/_actions/import_notes", json={"lines": ["tea", "milk"]})
        notes = client.get("/notes").json()

    assert '"percent":100.0' in answer.text
    assert notes[-2:] == ["tea", "milk"]


def test_nobody_imports_without_a_sign_in() -> None:
    """The answer is FastAPI's own."""
    with TestClient(app) as client:
        answer = client.post("/api/_actions/import_notes", json={"lines": []})

    assert (answer.status_code, answer.json()["detail"]) == (401, "Sign in first.")


def test_a_dependency_is_overridden() -> None:
    """For actions as for routes."""
    app.dependency_overrides[current_user] = lambda: "bob"
    with TestClient(app) as client:
        client.post("/api/_actions/import_notes", json={"lines": ["tea"]})
        notes = client.get("/notes").json()
    app.dependency_overrides.clear()

    assert notes[-1:] == ["tea"]
    assert "import_notes" in {action.name for action in actions.app.registry.actions}
