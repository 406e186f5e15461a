"""An application whose runs are produced by jobs of RQ, as a project that has them does it.

``REDIS_URL`` is RQ's server and the store.
"""

import os

from redis import Redis
from rq import Queue

from yieldwire import ActionError, Actions, Progress, Stream, Timing

URL = os.environ["REDIS_URL"]
queue = Queue(connection=Redis.from_url(URL))


def import_rows_job(run_id: str) -> None:
    """Import rows in a process of RQ."""
    with actions.app.produce_blocking(run_id) as run:
        rows = run.arguments["rows"]
        for n in range(1, rows + 1):
            run.send(Progress(n, total=rows))
        if rows == 0:
            raise ActionError("NO_ROWS", "There are no rows.", status=422)
        run.finish(rows)


actions = Actions(
    store=URL,
    executor=lambda run_id: queue.enqueue(import_rows_job, run_id),
    timing=Timing(lease=5.0, sweep_every=0.1),
)


@actions.action(linger=None)
async def import_rows(rows: int, stream: Stream[Progress]) -> int:
    """Import rows; the work is in `import_rows_job`."""
    raise NotImplementedError
