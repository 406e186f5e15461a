"""Tests as Quart's own documentation writes them."""

import pytest
from app import app


@pytest.mark.asyncio
async def test_an_import_belongs_to_the_user_who_is_signed_in() -> None:
    """The progress is streamed; without a sign-in the answer is 401, before anything runs."""
    async with app.test_app() as served:
        ada, stranger = served.test_client(), served.test_client()
        await ada.post("/sign-in/ada")
        answer = await ada.post("/api/_actions/import_notes", json={"lines": ["tea", "milk"]})
        runs = (await (await ada.get("/api/_actions/runs")).get_json())["runs"]
        refused = await stranger.post("/api/_actions/import_notes", json={"lines": []})

    assert '"percent":100.0' in await answer.get_data(as_text=True)
    assert [run["action"] for run in runs] == ["import_notes"]
    assert refused.status_code == 401
