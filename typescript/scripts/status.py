"""Write `src/core/status.ts`, the life of a run, from the table in `yieldwire.log.run`.

With ``-`` it is printed.
"""

import sys
from pathlib import Path
from typing import Final

from yieldwire.log.run import TERMINAL, TRANSITIONS, Status

TARGET: Final = Path(__file__).parent.parent / "src" / "core" / "status.ts"

PAGE: Final = """\
/** A run's life. Written by `make generate` from `src/yieldwire/log/run.py`; change it there. */

/** Where a run is in its life. */
export type RunStatus = {statuses};

/** Which status follows another when an event happens. */
export const TRANSITIONS: Readonly<Record<RunStatus, Readonly<Record<string, RunStatus>>>> = {{
{rows}
}};

/** The statuses after which nothing follows. */
export const TERMINAL: ReadonlySet<string> = new Set([{terminal}]);
"""


def page() -> str:
    """Return the module's text."""
    rows = (
        f"  {status.value}: {{ {cells} }},"
        if (cells := _cells(status))
        else f"  {status.value}: {{}},"
        for status in Status
    )
    return PAGE.format(
        statuses=" | ".join(f'"{status.value}"' for status in Status),
        rows="\n".join(rows),
        terminal=", ".join(f'"{status.value}"' for status in Status if status in TERMINAL),
    )


def _cells(status: Status) -> str:
    return ", ".join(
        f'{event.value}: "{after.value}"' for event, after in TRANSITIONS[status].items()
    )


if __name__ == "__main__":
    if "-" in sys.argv:
        sys.stdout.write(page())
    else:
        TARGET.write_text(page(), "utf-8")
