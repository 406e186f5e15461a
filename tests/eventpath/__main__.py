"""Measure the event path and compare it with the record: ``python -m tests.eventpath``.

``--record`` writes what was measured down as the new record.
"""

import argparse
import sys

from tests.eventpath.record import measured_ratios, read_record, write_record
from tests.eventpath.section import faults


def main() -> int:
    """Measure, print a line for each section, and return how many of them are not as recorded."""
    parser = argparse.ArgumentParser(prog="python -m tests.eventpath", description=__doc__)
    parser.add_argument("--record", action="store_true", help="make this the new record")
    asked = parser.parse_args()
    recorded, found = read_record(), measured_ratios()
    for name, ratio in found.items():
        before = f"{recorded[name]:8.3f}" if name in recorded else "       -"
        sys.stdout.write(f"{ratio:8.3f}  recorded {before}  {name}\n")
    if asked.record:
        write_record(found)
        return 0
    wrong = faults(found, recorded)
    sys.stdout.writelines(f"{fault}\n" for fault in wrong)
    return len(wrong)


if __name__ == "__main__":
    sys.exit(main())
