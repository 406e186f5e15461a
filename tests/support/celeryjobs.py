"""An application whose runs are produced by tasks of Celery, as a project that has them does it.

``REDIS_URL`` is the broker and the store.
"""

import os
import time

from celery import Celery  # type: ignore[import-untyped]

from yieldwire import ActionError, Actions, Progress, Stream, Timing

URL = os.environ["REDIS_URL"]

jobs = Celery("tests.support.celeryjobs", broker=URL)
jobs.conf.update(broker_connection_retry_on_startup=True, worker_prefetch_multiplier=1)


@jobs.task  # type: ignore[untyped-decorator]
def import_rows_job(run_id: str) -> None:
    with actions.app.produce_blocking(run_id) as run:
        rows = run.arguments["rows"]
        for n in range(1, rows + 1):
            run.send(Progress(n, total=rows))
            time.sleep(run.arguments["pause"])
        if rows == 0:
            raise ActionError("NO_ROWS", "There are no rows.", status=422)
        run.finish(rows)


actions = Actions(
    store=URL,
    executor=import_rows_job.delay,  # pyright: ignore[reportFunctionMemberAccess]
    timing=Timing(lease=1.0, sweep_every=0.1),
)


@actions.action(linger=None, retries=1)
async def import_rows(rows: int, stream: Stream[Progress], pause: float = 0.0) -> int:
    """Import rows; the work is in `import_rows_job`."""
    raise NotImplementedError
