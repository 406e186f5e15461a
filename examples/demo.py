"""All the examples in one application: what ``make demo`` serves.

An application can include the actions of others, so that each part has its own file.
Run it from the top of the repository::

    yieldwire dev examples/demo.py

Its runs are in ``demo.db``, or in the store that ``DEMO_STORE`` names, and outlive the server:
kill it during an import and start it again, and the import continues at its row.
"""

import os

from examples import (
    approval,
    batch,
    clock,
    feature_planner,
    import_airports,
    report,
    typewriter,
)
from yieldwire import Actions, Timing

actions = Actions(
    store=os.environ.get("DEMO_STORE", "sqlite:///demo.db"),
    timing=Timing(lease=3.0),  # seconds until a killed server's runs continue
    secret=os.environ.get("LINK_SECRET", "for the demo only, on this machine"),
    url=os.environ.get("DEMO_URL", "http://127.0.0.1:8765/api/_actions"),
)
for example in (
    import_airports,
    typewriter,
    feature_planner,
    batch,
    clock,
    approval,
    report,
):
    actions.include(example.actions)
