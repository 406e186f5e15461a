"""What holds for every module, whatever it does."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "yieldwire"
MODULES = sorted(SOURCE.rglob("*.py"))
PAGE = (ROOT / "docs" / "explanation" / "architecture.md").read_text("utf-8")

MODULE_LINES = 400
FUNCTION_LINES = 40  # without the docstring, so that nobody saves on words

NAMELESS = {"utils", "helpers", "common", "types", "constants", "base", "misc", "manager"}
OPTIONAL = {
    "airportsdata",
    "httptools",
    "httpx",
    "httpx2",
    "limits",
    "rich",
    "typer",
    "uvicorn",
    "uvloop",
    "watchfiles",
}

NAMED_FOR_DJANGO = {
    *SOURCE.glob("integrations/django/management/commands/*.py"),
    SOURCE / "integrations/django/models.py",
}
"""Where Django finds a class by its name, `Command`, or makes URLs and permissions of it."""

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef


def place(module: Path) -> str:
    return str(module.relative_to(SOURCE))


def test_a_module_has_at_most_400_lines() -> None:
    lengths = {place(each): len(each.read_text("utf-8").splitlines()) for each in MODULES}

    assert {name: lines for name, lines in lengths.items() if lines > MODULE_LINES} == {}


def test_a_function_has_at_most_40_lines() -> None:
    lengths = {
        f"{node.name}, line {node.lineno} of {place(module)}": length(node)
        for module in MODULES
        for node in ast.walk(parse(module))
        if isinstance(node, Function)
    }

    assert {name: lines for name, lines in lengths.items() if lines > FUNCTION_LINES} == {}


def test_every_public_name_has_a_docstring() -> None:
    names = [found for each in MODULES for found in public(place(each), parse(each))]

    assert [name for name, node in names if not ast.get_docstring(node)] == []


def test_a_module_is_named_after_what_it_does() -> None:
    names = {place(each): {each.stem, *each.relative_to(SOURCE).parent.parts} for each in MODULES}

    assert {place for place, parts in names.items() if parts & NAMELESS} == set()


def test_a_public_name_means_one_class_or_type() -> None:
    places: dict[str, list[str]] = {}

    for module in MODULES:
        for name in types_in(parse(module)):
            place = f"{name} in {module.relative_to(SOURCE)}"
            if not name.startswith("_") and module not in NAMED_FOR_DJANGO:
                places.setdefault(name.casefold(), []).append(place)

    assert [names for names in places.values() if len(names) > 1] == []


def types_in(tree: ast.Module) -> Iterator[str]:
    """Yield the names of a module's classes and type aliases, but not of its type variables."""
    for node in tree.body:
        match node:
            case ast.ClassDef(name=name):
                yield name
            case ast.AnnAssign(target=ast.Name(id=name), annotation=ast.Name(id="TypeAlias")):
                yield name
            case ast.Assign(targets=[ast.Name(id=name)]) if re.match("_?[A-Z][a-z]", name):
                yield name
            case _:
                pass


def test_importing_the_package_imports_no_optional_dependency() -> None:
    program = "import sys, yieldwire; print(*sorted(sys.modules), sep='\\n')"

    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert set(answer.stdout.split()) & OPTIONAL == set()


def test_the_architecture_page_has_every_module_exactly_once() -> None:
    rooms = re.findall(r"^\| `(\S+\.py)` \|", section("The floors"), re.MULTILINE)

    assert sorted(rooms) == sorted(str(module.relative_to(SOURCE)) for module in MODULES)


def test_the_architecture_page_has_the_floors_that_are_enforced_with_their_modules() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    (layers,) = [each["layers"] for each in config["contracts"] if each["type"] == "layers"]
    declared = [[name for name in re.findall(r"\w+", layer) if exists(name)] for layer in layers]

    floors = re.split(r"^### ", section("The floors"), flags=re.MULTILINE)[1:]
    told = [re.findall(r"`(\w+)`", floor.partition("\n")[0]) for floor in floors]
    rooms = [set(re.findall(r"^\| `(\w+)[/.]", floor, re.MULTILINE)) for floor in floors]

    assert told == [*[names for names in declared if names], []]  # the last is the package
    assert rooms == [*map(set, told[:-1]), {"__init__"}]


def test_the_architecture_page_sends_nobody_to_a_file_that_is_not_there() -> None:
    paths = re.findall(r"`([a-z]+(?:/\w+)*\.\w+)`", PAGE)

    missing = {path for path in paths if not any((at / path).exists() for at in (SOURCE, ROOT))}

    assert missing == set()
    assert len(re.findall(r"^\| .+ \| `\S+` \|$", section("Where is X?"), re.MULTILINE)) >= 20


def section(title: str) -> str:
    """Return a section of the architecture page."""
    (found,) = re.findall(
        rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL
    )
    return str(found)


def exists(name: str) -> bool:
    return (SOURCE / name).is_dir() or (SOURCE / f"{name}.py").exists()


@cache
def parse(module: Path) -> ast.Module:
    return ast.parse(module.read_text("utf-8"), module.name)


def length(function: Function) -> int:
    """Return the lines of a function's code: without its docstring and its parameters."""
    lines = (function.end_lineno or function.lineno) - function.body[0].lineno + 2
    if ast.get_docstring(function) is None:
        return lines
    docstring = function.body[0]
    return lines - ((docstring.end_lineno or docstring.lineno) - docstring.lineno + 1)


def public(
    name: str, node: Definition | ast.Module
) -> Iterator[tuple[str, Definition | ast.Module]]:
    """Yield what needs a docstring: nothing private, special, or inside a function."""
    yield name, node
    if isinstance(node, Function):
        return
    for child in node.body:
        if isinstance(child, Definition) and is_public(child):
            yield from public(f"{name}.{child.name}", child)


def is_public(node: Definition) -> bool:
    overload = any(
        isinstance(mark, ast.Name) and mark.id == "overload" for mark in node.decorator_list
    )
    return not overload and not node.name.startswith("_")
