"""Loads the application from a Python file."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Final

from yieldwire.asgi import Actions
from yieldwire.errors import UsageError
from yieldwire.errors.debug import text_of

_USUAL: Final = ("actions", "app")


class LoadFailed(UsageError):
    """The file cannot be imported; ``details`` is the traceback of the user's own code."""

    def __init__(self, path: Path, error: BaseException) -> None:
        self.details = text_of(error)
        super().__init__(f"{path} cannot be imported.")


def is_url(target: str) -> bool:
    """Whether a command's target is a URL, and not a file."""
    return target.startswith(("http://", "https://"))


def path_of(target: str) -> Path:
    """Return the file of ``app.py`` or ``app.py:name``."""
    return Path(_split(target)[0])


def load(target: str) -> Actions:
    """Import the file of ``app.py`` or ``app.py:name``, and return the application in it.

    Without a name it is ``actions`` or ``app``, or the only one that there is.

    Raises:
        LoadFailed: If importing it fails.
        UsageError: If there is no such file, or no application in it that can be opened.
    """
    app = _found(target)
    if app.app.is_closing:
        raise UsageError(
            f"{target} has closed its application during the import: put what opens it below "
            '`if __name__ == "__main__":`, or into another file.'
        )
    return app


def _found(target: str) -> Actions:
    file, name = _split(target)
    path = Path(file)
    if not path.is_file():
        raise UsageError(f"There is no file {path}; write app.py, app.py:name or a URL.")
    module = _import(path.resolve())
    if name:
        return _named(module, name, path)
    found = {key: value for key, value in vars(module).items() if isinstance(value, Actions)}
    for usual in _USUAL:
        if usual in found:
            return found[usual]
    if len({id(value) for value in found.values()}) == 1:
        return next(iter(found.values()))
    if found:
        raise UsageError(f"{path} has several applications; name one: {path}:{next(iter(found))}.")
    raise UsageError(f"{path} has no application; it needs `actions = Actions()` at its top level.")


def _named(module: ModuleType, name: str, path: Path) -> Actions:
    value: object = module
    for part in name.split("."):
        if not hasattr(value, part):
            raise UsageError(f"{path} has no {name!r}.")
        value = getattr(value, part)
    if not isinstance(value, Actions):
        kind = type(value).__name__
        raise UsageError(f"{name!r} in {path} is of the type {kind}, not Actions().")
    return value


def _split(target: str) -> tuple[str, str]:
    file, colon, name = target.rpartition(":")
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
        raise LoadFailed(path, exc) from exc
    return module
