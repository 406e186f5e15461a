"""Tests as Litestar's own documentation writes them."""

from app import app
from litestar.testing import TestClient


def test_an_import_belongs_to_the_user_who_is_signed_in() -> None:
    """The progress is streamed, and the run is on the user's list."""
    with TestClient(app) as client:
        client.post("/sign-in/ada")
        answer = client.post("/api/_actions/import_notes", json={"lines": ["tea", "milk"]})
        runs = client.get("/api/_actions/runs").json()["runs"]

    assert '"percent":100.0' in answer.text
    assert [run["action"] for run in runs] == ["import_notes"]


def test_nobody_imports_without_a_sign_in() -> None:
    """The answer is 401, before anything runs."""
    with TestClient(app) as client:
        answer = client.post("/api/_actions/import_notes", json={"lines": []})

    assert answer.status_code == 401
