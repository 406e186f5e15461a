"""The page that shows the OpenAPI document: there if it is asked for, from files of this server."""

import pytest

from tests.support.calls import get, send
from tests.support.world import opened, world
from yieldwire import OpenAPI
from yieldwire.asgi import openapipage
from yieldwire.errors import MissingDependency


async def test_the_page_loads_its_own_files_under_the_policy_of_every_page() -> None:
    async with opened(world(openapi=OpenAPI(title="A & B", page=True))) as site:
        page = await send(site, get("/openapi.html"))
        files = [
            await send(site, get(f"/{name}"))
            for name in ("swagger-ui-bundle.js", "swagger-ui.css", "openapi.js")
        ]

    assert page.status == 200
    assert "<title>A &amp; B</title>" in page.body.decode()
    assert (
        "default-src 'none'; script-src 'self'; style-src 'self'"
        in (page.headers["content-security-policy"])
    )
    assert "://" not in page.body.decode()
    assert [(each.status, each.headers["content-type"]) for each in files] == [
        (200, "text/javascript; charset=utf-8"),
        (200, "text/css; charset=utf-8"),
        (200, "text/javascript; charset=utf-8"),
    ]


async def test_an_application_has_no_such_page_by_default() -> None:
    async with opened(world()) as site:
        answers = [await send(site, get(f"/{name}")) for name in ("openapi.html", "openapi.js")]

    assert [answer.status for answer in answers] == [404, 404]


def test_without_its_package_the_page_is_refused_with_the_install_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(openapipage, "_PACKAGE", "not_installed")

    with pytest.raises(MissingDependency, match=r"pip install 'yieldwire\[openapi\]'"):
        world(openapi=OpenAPI(page=True))
