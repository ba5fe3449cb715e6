"""A nightly run: tomorrow's lines from the shop's table are submitted once, however often it runs.

    python examples/nightly_sql.py 2026-12-01

One transaction reads and submits the lines, so the batch matches the table at that moment.
"""

from __future__ import annotations

import os
import sys

from sqlalchemy import create_engine, text

from api_models.speech import JobRequest
from api_models.status import JobStatus
from worker.producer import enqueue_many, watch

WANTED = text("SELECT number, words FROM specials WHERE day = :day ORDER BY number")


def main(day: str) -> None:
    """The day is the idempotency key: a run that is started again finds the batch of the first, and waits for it."""
    engine = create_engine(os.environ.get("TTSQ_DATABASE_URL", "sqlite:///.ttsq/ttsq.db"))
    with engine.begin() as connection:
        specials = connection.execute(WANTED, {"day": day}).all()
        requests = (JobRequest(text=words, custom_id=f"{day}-{number}") for number, words in specials)
        batch = enqueue_many(connection, requests, name=f"specials of {day}", idempotency_key=f"specials {day}")
    *_, last = watch(batch, timeout_seconds=3_600, engine=engine)
    print(f"{last.of(JobStatus.SUCCEEDED)} of {last.total} spoken for ${last.cost}, batch {batch}")


if __name__ == "__main__":
    main(sys.argv[1])
