"""Write `src/core/status.ts`, the life of a run, from the table in `yieldwire.log.run`.

With ``-`` it is printed.
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from yieldwire.log.run import TERMINAL, TRANSITIONS, Status

TARGET: Final = Path(__file__).parent.parent / "src" / "core" / "status.ts"

PAGE: Final = """\
/** A run's life. Written by `make generate` from `src/yieldwire/log/run.py`; change it there. */

/** Where a run is in its life. */
export type RunStatus = {statuses};

/** The status of a run after each event of its log. */
export const AFTER: Readonly<Record<string, RunStatus>> = {{ {after} }};

/** The statuses of a run that has not ended. */
export const LIVE: readonly RunStatus[] = [{live}];

/** The statuses after which nothing follows. */
export const TERMINAL: readonly RunStatus[] = [{terminal}];
"""


def page() -> str:
    """Return the module's text."""
    return PAGE.format(
        statuses=" | ".join(f'"{status.value}"' for status in Status),
        after=", ".join(
            f'{event.value}: "{after.value}"'
            for event, after in TRANSITIONS[Status.RUNNING].items()
        ),
        live=_list(status for status in Status if status not in TERMINAL),
        terminal=_list(status for status in Status if status in TERMINAL),
    )


def _list(statuses: Iterable[Status]) -> str:
    return ", ".join(f'"{status.value}"' for status in statuses)


if __name__ == "__main__":
    if "-" in sys.argv:
        sys.stdout.write(page())
    else:
        TARGET.write_text(page(), "utf-8")
