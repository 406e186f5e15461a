"""Clients that published generators make of the OpenAPI document: they type-check, and stream."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from openapi_spec_validator import validate

from tests.support.server import ThreadServer
from tests.vendor.conformance import proves
from tests.vendor.driving import HERE, NODE, SECONDS, Observed, drive
from tests.vendor.world import new_actions
from yieldwire.integrations.fastapi import mount

HEY_API = "@hey-api/openapi-ts"
FETCH = "openapi-fetch"
PERCENTS = [16.7, 33.3, 50, 66.7, 83.3, 100]
MODULES = HERE / "node_modules"
COMPILER = {
    "strict": True,
    "noEmit": True,
    "module": "nodenext",
    "target": "es2022",
    "lib": ["es2024", "dom", "dom.iterable"],
    "types": [],
    "skipLibCheck": True,
    "allowImportingTsExtensions": True,
}


def named(route: APIRoute) -> str:
    """Return an id of an operation that is the same as without FastAPI."""
    return route.name


@pytest.fixture(scope="module")
def fastapi_url() -> Iterator[str]:
    """Serve the same actions as a part of a FastAPI application."""
    app = FastAPI(generate_unique_id_function=named)
    actions = new_actions()
    mount(app, actions)
    with ThreadServer(app, actions=actions) as server:
        yield server.url


@pytest.fixture(scope="module")
def bases(vendor_url: str, fastapi_url: str) -> dict[str, str]:
    """Where the document of each host is, which is where its paths begin."""
    return {"actions": f"{vendor_url}/api/_actions", "fastapi": fastapi_url}


@pytest.fixture(scope="module")
def folder(bases: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each host, with its document, its generated clients, and what uses them."""
    whole = tmp_path_factory.mktemp("openapi")
    (whole / "node_modules").symlink_to(MODULES)
    for name, base in bases.items():
        (whole / name).mkdir()
        (whole / name / "openapi.json").write_text(httpx.get(f"{base}/openapi.json").text)
        shutil.copy(HERE / "openapi" / "heyapi.ts", whole / name)
    shutil.copy(HERE / "openapi" / "openapifetch.ts", whole / "actions")
    (whole / "tsconfig.json").write_text(json.dumps({"compilerOptions": COMPILER}))
    (whole / "package.json").write_text('{"type": "module"}')
    run(HERE / "openapi" / "generate.mjs", *(whole / name for name in bases))
    return whole


def run(script: Path, *arguments: Path | str) -> None:
    done = subprocess.run(
        [NODE, script, *arguments], capture_output=True, check=False, timeout=2 * SECONDS, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


@proves(HEY_API, "the types of inputs, results, errors and the items of streams")
@proves(FETCH, "the types of inputs, results, errors and the lines of streams")
def test_generated_clients_are_typed(folder: Path) -> None:
    validate(json.loads((folder / "fastapi" / "openapi.json").read_text()))

    run(MODULES / "typescript" / "bin" / "tsc", "-p", str(folder))


@pytest.fixture(scope="module")
def seen(folder: Path, bases: dict[str, str]) -> dict[str, Observed]:
    """What Hey API's client observed at each host."""
    return {name: drive(str(folder / name / "heyapi.ts"), base) for name, base in bases.items()}


@pytest.mark.parametrize("host", ["actions", "fastapi"])
@proves(HEY_API, "streams and feeds as async iterables, single answers, errors, also in FastAPI")
def test_hey_api_iterates_streams(host: str, seen: dict[str, Observed]) -> None:
    assert seen[host]["stream"] == {"percents": PERCENTS, "last": "done"}
    assert seen[host]["feed"] == [1, 2]
    assert seen[host]["lateError"] == ["OUT_OF_CREDIT"]
    assert seen[host]["value"] == 3
    assert list(seen[host]["refused"]) == ["a"]


@proves(HEY_API, "a cut stream is resumed by Last-Event-ID, without a gap or a repeat")
def test_hey_api_resumes_a_stream(seen: dict[str, Observed]) -> None:
    assert seen["actions"]["resumed"] == {"percents": PERCENTS, "last": "done"}


@proves(FETCH, "streams as lines of JSON, single answers, errors")
def test_openapi_fetch_reads_lines(folder: Path, bases: dict[str, str]) -> None:
    observed = drive(str(folder / "actions" / "openapifetch.ts"), bases["actions"])

    assert observed["stream"] == {"percents": [25, 50, 75, 100], "last": "done"}
    assert observed["value"] == 3
    assert observed["refused"] == "VALIDATION_ERROR"
