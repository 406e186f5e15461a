"""The documentation is true: its code runs, its links lead somewhere, its reference is whole."""

import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache, partial
from pathlib import Path
from types import CodeType
from typing import Any, cast

import pytest
from procrastinate import App, PsycopgConnector

import yieldwire
from tests.cli.terminal import run
from tests.docs.blocks import DOCS, PAGES, ROOT, Block, blocks, code_spans, every_block
from tests.support.receiver import SECRET
from yieldwire import Actions, OpenAPI, Pages, RateLimit, RunLimits, Timing, errors
from yieldwire.actions.action import Options
from yieldwire.actions.declare import ActionOptions, FeedOptions
from yieldwire.asgi.bodies import HEAD_BYTES, SPOOL_BYTES
from yieldwire.asgi.requestlimits import RequestLimits
from yieldwire.client import Patience
from yieldwire.client.wire import ANSWER_BYTES, ERROR_BYTES
from yieldwire.codecs.sse import MAX_EVENT_BYTES
from yieldwire.errors import YieldwireError
from yieldwire.executors.docket import Docket
from yieldwire.executors.pending import BLOCK_BYTES, MOST_BLOCK_EVENTS
from yieldwire.executors.procrastinate import Procrastinate
from yieldwire.executors.thread import MAX_IN_FLIGHT, MAX_IN_FLIGHT_BYTES
from yieldwire.hooks import Hooks
from yieldwire.log.chunks import Append, Progress, Text, Value
from yieldwire.log.events import EventType
from yieldwire.log.run import Status
from yieldwire.log.snapshot import FOLDS_BYTES
from yieldwire.runs.reader import PAGE_BYTES
from yieldwire.stores.memory import MemoryStore
from yieldwire.stores.sqlite import SQLiteStore
from yieldwire.stores.sqlite.lane import MOST_AT_ONCE, MOST_BYTES_AT_ONCE
from yieldwire.stores.tails import TAIL_BYTES, TAILS_BYTES
from yieldwire.webhooks import Webhook

REFERENCE = DOCS / "reference"
ELSEWHERE = {"django", "socketio", "temporalio"}
"""A block that imports one of these is only compiled here: Django's has a process and a test of its
own, and the others are what a guide moves away from."""

BEFORE = {DOCS / "tutorial/deploy.md": DOCS / "tutorial/front-end.md"}
"""The page whose files a page continues with."""

with_python = [page for page in PAGES if any(blocks(page, "python"))]


def names(pages: list[Path]) -> list[str]:
    return [str(page.relative_to(ROOT)) for page in pages]


def text_of(name: str) -> str:
    return REFERENCE.joinpath(name).read_text("utf-8")


@pytest.mark.timeout(300)  # some pages import an SDK, which takes long on a loaded machine
@pytest.mark.parametrize("page", with_python, ids=names(with_python))
def test_the_code_of_a_page_runs_from_top_to_bottom(page: Path, modules: Path) -> None:
    namespace: dict[str, Any] = {"__name__": "page"}
    (modules / "web" / "dist").mkdir(parents=True)  # a front end that is built

    pages = [BEFORE[page], page] if page in BEFORE else [page]
    for block in (block for each in pages for block in blocks(each, "python")):
        code = compiled(block)
        if ELSEWHERE & {name.partition(".")[0] for name in code.co_names}:
            continue
        if block.module is None:
            exec(code, namespace)  # noqa: S102 - the docs are ours
        else:
            block.write_in(modules)
            importlib.invalidate_caches()
            sys.modules.pop(block.module, None)  # a page can show the same file again, changed
            namespace |= vars(importlib.import_module(block.module))


def test_the_waits_in_the_guide_to_the_client_have_their_defaults() -> None:
    text = DOCS.joinpath("guides/call-from-python.md").read_text("utf-8")

    told = dict(re.findall(r"^\| `Patience\((\w+)=\)` \| `(\d+)` \|", text, re.MULTILINE))

    names = ("connect", "start", "request", "idle", "quiet", "tries")
    defaults = {name: float(getattr(Patience(), name)) for name in names}
    assert {name: float(default) for name, default in told.items()} == defaults


def test_the_module_in_the_guide_is_the_one_that_is_generated_for_its_action(
    tmp_path: Path,
) -> None:
    app, module, *_ = blocks(DOCS / "guides/generate-python-types.md", "python")
    tmp_path.joinpath("app.py").write_text(app.code, "utf-8")

    ended = run("types", "--python", "app.py", cwd=tmp_path)

    assert ended.code == 0, ended.err
    future = "from __future__"
    assert ended.out.partition(future)[2] == module.code.partition(future)[2]


@pytest.mark.timeout(300)  # a process of its own, which imports FastAPI and pytest
def test_the_tests_of_the_guide_to_testing_pass_as_they_are(tmp_path: Path) -> None:
    page = DOCS / "guides/test-your-actions.md"
    for block in [*blocks(page, "toml"), *blocks(page, "python")]:
        block.write_in(tmp_path)

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "9 passed" in done.stdout


def compiled(block: Block) -> CodeType:
    return compile("\n" * (block.line - 1) + block.code, str(block.page), "exec")


@pytest.mark.parametrize("block", every_block("js"), ids=str)
def test_a_script_is_a_module(block: Block) -> None:
    check_module(block.code)


@pytest.mark.parametrize("block", every_block("html"), ids=str)
def test_the_scripts_in_html_are_modules(block: Block) -> None:
    for script in re.findall(r"<script[^>]*>(.*?)</script>", block.code, re.DOTALL):
        check_module(script)


def check_module(code: str) -> None:
    done = subprocess.run(
        ["node", "--input-type=module", "--check"],  # noqa: S607 - the Node that runs the tests
        input=code,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text("utf-8"))

    for target in targets:
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_page_is_on_the_list_of_pages() -> None:
    listed = DOCS.joinpath("README.md").read_text("utf-8")

    pages = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")} - {"README.md"}

    assert {page for page in pages if f"]({page})" not in listed} == set()


def test_every_hook_is_in_the_reference() -> None:
    methods = {name for name in vars(Hooks) if not name.startswith("_")}

    told = re.findall(r"^\| `(\w+)\(", text_of("hooks.md"), re.MULTILINE)

    assert set(told) == methods


def test_the_reference_names_everything_that_the_package_exports() -> None:
    exported = {
        name
        for name, value in vars(yieldwire).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    spans = code_spans(text_of("names.md"))

    assert {name for name in exported if not re.search(rf"\b{name}\b", spans)} == set()


def wire_errors() -> list[type[YieldwireError]]:
    """Return every error with a code of its own."""
    classes = [each for each in vars(errors).values() if inspect.isclass(each)]
    return [each for each in classes if issubclass(each, YieldwireError) and "code" in vars(each)]


@pytest.mark.parametrize(
    "page", [ROOT / "PROTOCOL.md", REFERENCE / "errors.md"], ids=lambda p: p.name
)
def test_every_error_code_is_listed_with_its_status(page: Path) -> None:
    text = page.read_text("utf-8")
    rows = {
        (code, int(status), retryable == "yes")
        for code, status, retryable in re.findall(
            r"^\| `([A-Z_]+)` \| (\d+) \| (yes|no) \|", text, re.MULTILINE
        )
    }
    said = {(each.code, each.status, each.retryable) for each in wire_errors()}

    unreachable = errors.Unreachable("")
    made_by_clients = {(unreachable.code, unreachable.status, unreachable.retryable)}
    assert rows - made_by_clients == said - made_by_clients


def rows_of(title: str) -> dict[str, str]:
    """Return the settings below a title, each with its default as it is written."""
    section = text_of("settings.md").partition(f"\n## `{title}`\n")[2].partition("\n## ")[0]
    return dict(re.findall(r"^\| `(\w+)` \| `?([^|`]+)`? \|", section, re.MULTILINE))


def defaults_of(owner: Any) -> Mapping[str, object]:  # noqa: ANN401 - a class of settings
    if is_dataclass(owner):
        return {each.name: each.default for each in fields(owner) if each.default is not MISSING}
    parameters = inspect.signature(owner).parameters.values()
    return {each.name: each.default for each in parameters}


@pytest.mark.parametrize(
    ("title", "owner"),
    [
        ("Actions", Actions),
        ("Timing", Timing),
        ("RunLimits", RunLimits),
        ("RequestLimits", RequestLimits),
        ("Pages", Pages),
        ("OpenAPI", OpenAPI),
        ("Webhook", partial(Webhook, "https://a.example", SECRET)),
        ("SQLiteStore", partial(SQLiteStore, "runs.db")),
        ("Docket", partial(Docket, "redis://localhost")),
        ("Procrastinate", partial(Procrastinate, App(connector=PsycopgConnector()))),
    ],
)
def test_every_setting_is_listed_with_its_default(title: str, owner: object) -> None:
    written = {name: eval(default) for name, default in rows_of(title).items()}  # noqa: S307

    assert written == defaults_of(owner)


def test_every_option_of_an_action_and_of_a_feed_is_listed_with_its_default() -> None:
    tables = {title: rows_of(title) for title in ("@actions.action", "@actions.feed")}
    defaults = defaults_of(Options)

    assert tables["@actions.feed"].keys() == FeedOptions.__annotations__.keys() - (
        ActionOptions.__annotations__.keys()
    )
    for rows in tables.values():
        assert {name: eval(default) for name, default in rows.items()} == {  # noqa: S307
            name: defaults[name] for name in rows
        }
    assert defaults.keys() - {"is_feed"} == {name for rows in tables.values() for name in rows}


def test_every_argument_of_a_rate_limit_is_described() -> None:
    assert rows_of("RateLimit").keys() == defaults_of(RateLimit).keys()


@pytest.mark.parametrize(
    "page", [ROOT / "PROTOCOL.md", REFERENCE / "events.md"], ids=lambda p: p.name
)
def test_every_event_chunk_and_status_is_described(page: Path) -> None:
    text = page.read_text("utf-8")
    spoken = {each.value for each in EventType if each is not EventType.STARTED}
    spoken |= {each.value for each in Status}
    spoken |= {"run", "reset", *map(type_of, (Text, Progress, Value, Append))}

    assert {
        word for word in spoken if not re.search(rf'[`"]{word}[`"]|event: {word}\n', text)
    } == set()


def type_of(chunk: type) -> str:
    return str(next(each.default for each in fields(chunk) if each.name == "type"))


def test_the_limits_of_the_wire_are_the_defaults() -> None:
    bounds, limits, timing, options = RequestLimits(), RunLimits(), Timing(), Options()
    text = ROOT.joinpath("PROTOCOL.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|", text.partition("## 19.")[2], re.MULTILINE))

    assert rows["a JSON or urlencoded body"] == mebibytes(bounds.json_bytes)
    assert rows["a multipart body"] == (
        f"{mebibytes(bounds.upload_bytes)}, {bounds.files} files, {bounds.fields} fields, "
        f"{mebibytes(bounds.field_bytes)} for a field that is not a file"
    )
    fields = rows["the fields of a multipart body, with the heads of all parts"]
    assert fields == f"{mebibytes(bounds.json_bytes)} in total"
    assert rows["the part `:input` of a multipart body"] == (
        f"{mebibytes(bounds.json_bytes)}, and "
        f"{HEAD_BYTES >> 10} KiB for each of {bounds.files} files"
    )
    assert rows["nesting of JSON"] == f"{bounds.depth} levels"
    assert rows["silence while a body arrives"] == f"{timing.body:g} s"
    assert rows["rate at which a body arrives"].startswith(
        f"{bounds.body_rate:g} bytes per second on average, "
        f"checked once the body has taken {timing.body:g} s"
    )
    assert rows["streams and waiting answers of one caller"] == f"{bounds.streams}"
    assert rows["unfinished runs of one caller"] == str(defaults_of(Actions)["max_runs"])
    assert rows["one event's data"] == mebibytes(limits.max_event_bytes)
    log = f"{limits.max_events:,} events, {mebibytes(limits.max_bytes)}"
    assert rows["one log"].startswith(log)
    assert rows["the events in one JSON answer"] == mebibytes(bounds.answer_bytes)
    assert rows["the text in a snapshot"] == mebibytes(limits.max_event_bytes)
    assert rows["time for a reader to accept sent data"] == f"{timing.stall_timeout:g} s"
    assert rows["a run's time after its end"] == f"{options.retention / 3600:g} hour"


def test_the_bounds_of_what_waits_are_those_that_hold() -> None:
    bounds, limits = RequestLimits(), RunLimits()
    text = ROOT.joinpath("docs/explanation/guarantees.md").read_text("utf-8")
    table = text.partition("## Limits on waiting data")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|", table, re.MULTILINE))

    assert f"{BLOCK_BYTES >> 10} kB of chunks, at most {MOST_BLOCK_EVENTS:,}" in table
    told = {
        "a run's log": f"{mebibytes(limits.max_bytes)} and {limits.max_events:,} events",
        "the log of a feed with `keep=`": mebibytes(limits.max_bytes),
        "one event, and the result in the last one": mebibytes(limits.max_event_bytes),
        "chunks between a blocking function's thread and the loop": (
            f"{MAX_IN_FLIGHT:,} events or {MAX_IN_FLIGHT_BYTES >> 10} kB, twice"
        ),
        "events of an attached run that its fastest reader in this process has not read": mebibytes(
            limits.ahead_bytes
        ),
        "one transaction of a SQLite file": (
            f"{MOST_AT_ONCE} writes or reads, or {mebibytes(MOST_BYTES_AT_ONCE)}"
        ),
        "blocks that a SQLite store caches for its readers": (
            f"{mebibytes(TAIL_BYTES)} a run, {mebibytes(TAILS_BYTES)} in all"
        ),
        "ended runs in the memory store": mebibytes(
            cast("int", defaults_of(MemoryStore)["ended_bytes"])
        ),
        "a stream that is not read": f"{PAGE_BYTES >> 10} kB",
        "a poll with `?after=`": "256 kB",
        "the same with `?events=1`": mebibytes(bounds.answer_bytes),
        "all of these together": mebibytes(bounds.answers_bytes),
        "the text in a snapshot": mebibytes(limits.max_event_bytes),
        "snapshots that an application caches": mebibytes(FOLDS_BYTES),
        "the body of a request: JSON, a form, or the fields of a multipart one": mebibytes(
            bounds.json_bytes
        ),
        "the files of a multipart body": f"{SPOOL_BYTES >> 10} kB each in memory",
        "in the Python client: one incomplete event": mebibytes(MAX_EVENT_BYTES),
        "a JSON answer": mebibytes(ANSWER_BYTES),
        "the body of a refusal": mebibytes(ERROR_BYTES),
    }
    assert {name: rows[name][: len(bound)] for name, bound in told.items()} == told


def mebibytes(size: int) -> str:
    return f"{size >> 30} GiB" if size >= 1 << 30 else f"{size >> 20} MiB"


@cache
def commands() -> dict[str, str]:
    """Return the help of every command, ``""`` being the program itself."""
    found = {"": help_of()}
    listed = found[""].partition("Commands:")[2]
    for name in re.findall(r"^  (\w+)  ", listed, re.MULTILINE):
        found[name] = help_of(name)
    return found


def help_of(*command: str) -> str:
    ended = run(*command, "--help", cwd=ROOT, COLUMNS="100", NO_COLOR="1", TERM="dumb")
    assert ended.code == 0, ended.err
    return ended.out


def test_every_command_and_option_is_described() -> None:
    text = text_of("cli.md")

    missing: list[str] = []
    for name, shown in commands().items():
        section = text if not name else text.partition(f"\n## `yieldwire {name} ")[2]
        section = section.partition("\n## ")[0]
        options = re.findall(r"(?<![\w-])--[a-z][\w-]+", shown.partition("Options:")[2])
        wanted = {option for option in options if option != "--help"}
        missing += [f"{name} {option}" for option in wanted if f"`{option}`" not in section]

    assert missing == []


def test_the_docs_use_commands_that_exist() -> None:
    known = set(commands())
    shown = "\n".join(block.code for block in every_block("sh"))
    shown += "\n".join(code_spans(page.read_text("utf-8")) for page in PAGES)

    used = set(re.findall(r"\byieldwire ([a-z]+)\b", shown))

    assert used - known == set()
    assert "call" in used
