"""RQ: a function, enqueued many at a time, and a pool of workers, each of them one process with one job at a time.

Workers: `python -m benchmarks.peers.rq_jobs N`: RQ's worker pool from a script of its own, as its documentation has it
where imports take long, so that they are done once and before the workers are forked. `SimpleWorker` forks for no job.
Producer: `python -c "from benchmarks.peers.rq_jobs import submit; submit(JOBS)"`.
"""

from __future__ import annotations

import sys
from typing import Final

from redis import Redis
from rq import Queue, Retry, SimpleWorker
from rq.worker_pool import WorkerPool

from benchmarks.peers import work

QUEUE: Final = "default"
PIECE: Final = 1_000
"""Jobs submitted in one pipeline."""
RETRY: Final = Retry(max=work.RETRIES)


def submit(jobs: int) -> None:
    """All rows in one statement, then the jobs in bulk."""
    with Redis.from_url(work.BROKER_URL) as connection:
        queue = Queue(QUEUE, connection=connection)
        entered = work.enter(jobs)
        for start in range(0, len(entered), PIECE):
            piece = entered[start : start + PIECE]
            queue.enqueue_many([Queue.prepare_data(work.perform, args, retry=RETRY, result_ttl=0) for args in piece])


def main(workers: int) -> None:
    """Until ended."""
    with Redis.from_url(work.BROKER_URL) as connection:
        pool = WorkerPool([QUEUE], connection=connection, num_workers=workers, worker_class=SimpleWorker)
        pool.start(logging_level="INFO")


if __name__ == "__main__":
    main(int(sys.argv[1]))
