"""The costs that were recorded, by version of Python: another one counts other instructions."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.eventpath.callgrind import count_instructions
from tests.eventpath.section import ratios

RECORD: Final = Path(__file__).with_name("record.json")
PYTHON: Final = f"{sys.version_info.major}.{sys.version_info.minor}"


def measured_ratios(env: Mapping[str, str] | None = None) -> dict[str, float]:
    """Measure every section now.

    Raises:
        MeasurementError: If that is not possible here.
    """
    return ratios(count_instructions("tests.eventpath.measure", env))


def read_record() -> dict[str, float]:
    """Return what is recorded for this version of Python, perhaps nothing."""
    record: dict[str, dict[str, float]] = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    return record.get(PYTHON, {})


def write_record(found: Mapping[str, float]) -> None:
    """Record these ratios for this version of Python."""
    record: dict[str, Any] = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    record[PYTHON] = {name: round(ratio, 3) for name, ratio in found.items()}
    RECORD.write_text(json.dumps(record, indent=2) + "\n")
