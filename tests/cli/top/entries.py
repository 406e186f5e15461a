"""Entries of a list of runs, as a server tells them."""

from yieldwire.errors import Json
from yieldwire.log.snapshot import iso_time


def entry(run_id: str, **members: Json) -> dict[str, Json]:
    """Return an entry; ``created`` is in seconds since the epoch."""
    created: float = members.pop("created", 0.0)
    return {
        "id": run_id,
        "action": "count",
        "parent": None,
        "status": "running",
        "labels": [],
        "attempt": 1,
        "seq": 0,
        "createdAt": iso_time(created),
        "startedAt": iso_time(created),
        "endedAt": None,
        **members,
    }


def progress(current: float, total: float | None = None, message: str = "") -> Json:
    """Return a progress chunk as it is in an entry."""
    percent = None if total is None else 100 * current / total
    return {
        "type": "progress",
        "current": current,
        "total": total,
        "message": message,
        "percent": percent,
    }
