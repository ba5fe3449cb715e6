"""A producer in Python that submits one batch and exits. Called as `python -m benchmarks.handing_in JOBS`."""

from __future__ import annotations

import sys
from contextlib import closing

from api_models.speech import JobRequest
from benchmarks.texts import text
from worker import producer, settings
from worker.intake.validation import Row
from worker.store.database import Database


def main(jobs: int) -> None:
    """With no jobs it only starts and ends, which is what its own start costs."""
    configuration = settings.current()
    rows = [Row(n, JobRequest(text=text(n), custom_id=f"{n:06}")) for n in range(1, jobs + 1)]
    with closing(Database(configuration.database_url, connections=2)) as database, database.begin() as connection:
        if rows:
            origin = configuration.segmind_base_url
            producer.submit_batch(connection, rows, name="bench", origin=origin, output_url=None)


if __name__ == "__main__":
    main(int(sys.argv[1]))
