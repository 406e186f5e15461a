"""Loads the application from a Python file."""

import importlib.util
import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from yieldwire.asgi import Actions
from yieldwire.cli.host import is_factory, mounts_in, refusal
from yieldwire.errors import UsageError
from yieldwire.errors.debug import traceback_of

_USUAL: Final = ("actions", "app", "application")
_FACTORIES: Final = ("create", "make", "build", "get")


class LoadFailed(UsageError):
    """The user's own code has failed; ``details`` is its traceback."""

    def __init__(self, error: BaseException, message: str) -> None:
        self.details: str = traceback_of(error)
        super().__init__(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What a file has to serve.

    Attributes:
        places: Actions, by the paths at which ``host`` has them.
        host: The application that they are parts of; ``None``: they are served alone.
    """

    places: Mapping[str, Actions]
    host: Any = None

    @property
    def actions(self) -> Collection[Actions]:
        """All of them."""
        return self.places.values()


def is_url(target: str) -> bool:
    """Whether a command's target is a URL, and not a file."""
    return target.startswith(("http://", "https://"))


def path_of(target: str) -> Path:
    """Return the file of ``app.py`` or ``app.py:name``.

    Raises:
        UsageError: If it does not exist.
    """
    file, name = _split(target)
    path = Path(file)
    if path.is_file():
        return path
    module = Path(f"{file.replace('.', '/')}.py")
    if module.is_file():
        meant = f"{module}:{name}" if name else f"{module}"
        raise UsageError(f"There is no file {path}; write {meant}.")
    raise UsageError(f"There is no file {path}; write app.py, app.py:name or a URL.")


def load(target: str) -> Actions:
    """Import the file of ``app.py`` or ``app.py:name``, and return the actions in it.

    Raises:
        LoadFailed: If importing it fails.
        UsageError: If there is no such file, or not exactly one application with actions in it.
    """
    return only_actions(load_source(target), target)


def only_actions(source: Source, target: str) -> Actions:
    """Return the actions of a source that has one `Actions`.

    Raises:
        UsageError: If it has several.
    """
    if len(source.places) > 1:
        paths = " and ".join(source.places)
        raise UsageError(f"{target} has actions at {paths}; name one Actions() of a file.")
    return next(iter(source.places.values()))


def load_source(target: str) -> Source:
    """Import the file of ``app.py`` or ``app.py:name``, and return what it has to serve.

    Without a name, that is the application in which actions are mounted, or else `Actions`
    named ``actions`` or ``app``, or the only one that there is.

    Raises:
        LoadFailed: If importing it fails.
        UsageError: If there is no such file, or no application in it that can be opened.
    """
    path = path_of(target)
    module, name = _import(path.resolve()), _split(target)[1]
    source = _named(module, name, path) if name else _only(module, path)
    if any(actions.app.is_closing for actions in source.actions):
        raise UsageError(
            f"{target} has closed its application during the import: put what opens it below "
            '`if __name__ == "__main__":`, or into another file.'
        )
    return source


def _only(module: ModuleType, path: Path) -> Source:
    """Return what a file has to serve if no name says which."""
    found = {name: _source_of(value) for name, value in vars(module).items()}
    sources = {name: source for name, source in found.items() if source is not None}
    hosts = {name: source for name, source in sources.items() if source.host is not None}
    for candidates in (hosts, sources):
        for usual in _USUAL:
            if usual in candidates:
                return candidates[usual]
        if _are_one(candidates.values()):
            return next(iter(candidates.values()))
    if sources:
        name = next(iter(sources))
        raise UsageError(f"{path} has several applications; name one: {path}:{name}.")
    for usual in _USUAL:
        if callable(getattr(module, usual, None)):
            raise refusal(getattr(module, usual), usual, str(path))
    for name, value in vars(module).items():
        is_own = getattr(value, "__module__", None) == module.__name__
        if is_own and name.startswith(_FACTORIES) and is_factory(value):
            raise UsageError(
                f"{path} has no application; if {name}() returns it, write {path}:{name}."
            )
    raise UsageError(f"{path} has no application; it needs `actions = Actions()` at its top level.")


def _are_one(sources: Iterable[Source]) -> bool:
    return len({id(one.host or one.places[""]) for one in sources}) == 1


def _named(module: ModuleType, name: str, path: Path) -> Source:
    value: object = module
    for part in name.split("."):
        if not hasattr(value, part):
            raise UsageError(f"{path} has no {name!r}.")
        value = getattr(value, part)
    try:
        if is_factory(value):
            value = value()  # type: ignore[operator]
    except (Exception, SystemExit) as exc:
        raise LoadFailed(exc, f"{name}() in {path} has failed.") from exc
    source = _source_of(value)
    if source is None:
        raise refusal(value, name, str(path))
    return source


def _source_of(value: object) -> Source | None:
    if isinstance(value, Actions):
        return Source(places={"": value})
    places = mounts_in(value)
    return Source(places=places, host=value) if places else None


def _split(target: str) -> tuple[str, str]:
    file, colon, name = target.removesuffix("()").rpartition(":")
    # The colon of a Windows drive is followed by a path, which is not a name.
    return (file, name) if colon and name.replace(".", "_").isidentifier() else (target, "")


def _import(path: Path) -> ModuleType:
    """Import a file as Python would, as a part of its package if it is in one."""
    root, name = path.parent, path.stem
    while (root / "__init__.py").is_file():
        root, name = root.parent, f"{root.name}.{name}"
    for place in (str(Path.cwd()), str(root)):
        if place not in sys.path:
            sys.path.insert(0, place)
    if name in sys.modules:
        name = f"{name}_"  # another module has that name
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} is not a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as exc:
        del sys.modules[name]
        raise LoadFailed(exc, f"{path.name} cannot be imported.") from exc
    return module
