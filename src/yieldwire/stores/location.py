"""Where a store keeps files, from its setting ``files=``: a folder, or an object store's URL."""

from pathlib import Path
from typing import Annotated, Final, TypeAlias

from yieldwire.clock import Clock, SystemClock
from yieldwire.setting import Rule
from yieldwire.stores.blobs import Blobs, FolderBlobs

_FOLDERS: Final = ("file", "local")
"""Schemes of URLs of folders."""


def _is_location(value: object) -> bool:
    return isinstance(value, Path) or (isinstance(value, str) and value.split("://")[-1] != "")


FileLocation: TypeAlias = Annotated[
    str | Path,
    Rule(_is_location, "the path of a folder, or a URL such as 's3://bucket/prefix'"),
]


def blobs_at(location: str | Path | None, clock: Clock | None) -> Blobs | None:
    """Return what keeps files at a location; ``None`` if there is none.

    Args:
        location: Where the files are.
        clock: The store's; without it the machine's.

    Raises:
        MissingDependency: If a package is not installed that a URL needs.
        UsageError: If it is a URL of an unknown kind.
    """
    if location is None:
        return None
    scheme, mark, path = str(location).partition("://")
    if isinstance(location, Path) or not mark:
        return FolderBlobs(Path(location))
    if scheme in _FOLDERS:
        return FolderBlobs(Path(path))
    from yieldwire.stores.objects import ObjectBlobs  # noqa: PLC0415 - rarely used

    return ObjectBlobs.at(location, clock or SystemClock())
