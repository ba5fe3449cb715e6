"""A worker inside the process that submits: it serves as many calls as it has slots, and leaves nothing behind."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Final

from api_models.status import TERMINAL, JobStatus
from tests.cluster.waiting import wait_for
from tests.factories import add_job
from tests.speaking import speaking
from worker.emulator.config import EmulatorConfig
from worker.store.database import Database
from worker.store.queries import jobs

JOBS: Final = 12
SLOTS: Final = 3
END_SECONDS: Final = 60.0


def test_no_more_calls_than_slots_and_no_job_is_left(database: Database, tmp_path: Path) -> None:
    """Messages beyond the slots wait for a call to end; none of them is sent back."""
    with database.begin() as connection:
        for _ in range(JOBS):
            add_job(connection)
    config = EmulatorConfig(latency_seconds=0.05)
    with speaking(database, tmp_path, config, TTSQ_CONCURRENCY=str(SLOTS)) as started:

        def finished() -> bool:
            with database.read() as connection:
                return jobs.counts(connection, jobs.all_jobs()).of(*TERMINAL) == JOBS

        wait_for(finished, seconds=END_SECONDS, what="all jobs finished")
        state = started.emulator.state()
    with database.read() as connection:
        counts = jobs.counts(connection, jobs.all_jobs())
    assert counts.by_status == {JobStatus.SUCCEEDED: JOBS}
    assert state.billed_calls == JOBS
    assert 1 < state.max_in_flight <= SLOTS


def test_no_thread_outlives_a_worker(on_sqlite: Database, tmp_path: Path) -> None:
    """A process that continues, such as a gateway under test, gets all of its threads back."""
    before = set(threading.enumerate())
    with speaking(on_sqlite, tmp_path) as started:
        assert started.client.post("/v1/jobs", {"text": "The ferry leaves."}, Prefer="wait=30").status in {200, 201}

    def gone() -> bool:
        return not _own(before)

    wait_for(gone, seconds=END_SECONDS, what="no thread", instead=lambda: str(sorted(_own(before))))


def _own(before: set[threading.Thread]) -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread not in before]
