"""A Celery task that tells its progress, as its documentation does, and keeps the pace."""

import os
import time

from celery import Celery, Task

URL = os.environ["BENCH_REDIS"]
celery = Celery(broker=URL, backend=URL)


@celery.task(bind=True)
def produce(self: Task, count: int, interval: float) -> None:
    for i in range(count):
        time.sleep(interval)
        self.update_state(state="PROGRESS", meta={"text": f"token {i} ", "ns": time.monotonic_ns()})
