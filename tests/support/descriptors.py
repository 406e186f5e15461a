"""What this process has open."""

from pathlib import Path


def open_files() -> set[str]:
    """Return the files and folders that this process has open, those that were deleted as well."""
    opened: set[str] = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            target = str(descriptor.readlink())
        except OSError:
            continue  # it was the folder's own
        if target.startswith("/") and not target.startswith(("/dev/", "/proc/")):
            opened.add(target)
    return opened
