"""A run ended by a second Ctrl-C releases its jobs before the process exits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import select

from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from tests.cluster.waiting import wait_for
from tests.servers import forked
from worker.emulator.config import EmulatorConfig
from worker.emulator.server import Emulator
from worker.store import workers
from worker.store.database import Database
from worker.store.queries import jobs as job_queries
from worker.store.tables.jobs import Attempt

ENDLESS_SECONDS: Final = 600.0
END_SECONDS: Final = 60.0


def test_calls_that_are_cut_use_up_no_attempt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The rows say that the calls may have been billed, and that no worker runs them any more."""
    Path("texts.txt").write_text("The last train has gone.\nThe night bus comes at two.\n", encoding="utf-8")
    with Emulator(EmulatorConfig(latency_seconds=ENDLESS_SECONDS)) as emulator:
        monkeypatch.setenv("SEGMIND_BASE_URL", emulator.base_url)
        monkeypatch.setenv("SEGMIND_API_KEY", emulator.key)
        process = forked.start(
            [sys.executable, "-m", "worker.cli", "run", "texts.txt"],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONWARNINGS": "error"},
        )
        try:
            wait_for(lambda: emulator.state(detail=False).in_flight == 2, seconds=30, what="two calls in flight")
            process.send_signal(signal.SIGINT)
            assert process.stderr is not None
            while "again to stop immediately" not in (line := process.stderr.readline()):
                assert line, "it ended without a word"
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=END_SECONDS)
        finally:
            process.kill()
            process.communicate()

    database = Database(f"sqlite:///{tmp_path}/.ttsq/ttsq.db")
    with database.read() as connection:
        jobs = job_queries.jobs(connection, job_queries.all_jobs())
        cut = connection.execute(select(Attempt.verdict, Attempt.code, Attempt.possibly_billed)).all()
        present = workers.present(connection)
    database.close()
    assert process.returncode == 130
    assert {(job.status, job.attempts_used) for job in jobs} == {(JobStatus.QUEUED, 0)}
    assert [tuple(row) for row in cut] == [(VerdictKind.RELEASED, "worker_left", True)] * 2
    assert present == []
