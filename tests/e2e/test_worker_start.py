"""A worker that could not work says why, with the remedy, and leaves; it never takes a message."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.cluster.shape import Shape, StoreKind
from tests.e2e.conftest import StartCluster
from tests.servers.service_manager import listening

NOBODY_THERE = "127.0.0.1:1"

FAULTS = {
    "no key": ({"SEGMIND_API_KEY": ""}, "SEGMIND_API_KEY is not set"),
    "misspelt setting": ({"TTSQ_CONCURENCY": "3"}, "did you mean TTSQ_CONCURRENCY"),
    "memory broker": ({"TTSQ_BROKER_URL": "memory://"}, "TTSQ_BROKER_URL is memory://"),
    "database away": ({"TTSQ_DATABASE_URL": f"postgresql://u:hidden@{NOBODY_THERE}/x"}, "the database can't be used"),
    "database empty": ({"TTSQ_DATABASE_URL": "sqlite:///new.db"}, "run `ttsq migrate`"),
    "bucket absent": ({"TTSQ_ARTIFACTS_URL": "s3://nowhere/audio"}, "no bucket nowhere"),
    "wrong secret": ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "AWS_SECRET_ACCESS_KEY"),
    "spool unusable": ({"TTSQ_SPOOL_DIR": "/proc/spool"}, "TTSQ_SPOOL_DIR"),
}


def test_a_worker_that_could_not_work_leaves_and_says_why(start_cluster: StartCluster) -> None:
    """Each fault of the settings ends the worker with a status other than 0 and one message that names it."""
    cluster = start_cluster(Shape(workers=0, store=StoreKind.SWIFT))
    launched = {fault: cluster.launch_worker(**settings) for fault, (settings, _) in FAULTS.items()}

    for fault, worker in launched.items():
        status = worker.wait()
        assert status != 0, fault
        assert FAULTS[fault][1] in worker.log, worker.log
        assert "Traceback" not in worker.log, worker.log
        assert "hidden" not in worker.log, worker.log
        assert "worker_started" not in worker.log, worker.log


def test_a_worker_tells_systemd_that_it_works_and_that_it_leaves(start_cluster: StartCluster, tmp_path: Path) -> None:
    """It is ready once it receives messages: a unit ordered after it would find work being done."""
    cluster = start_cluster(Shape(workers=0))
    with listening(tmp_path / "notify") as systemd:
        worker = cluster.launch_worker(NOTIFY_SOCKET=str(tmp_path / "notify"))
        systemd.await_message("READY=1")
        systemd.await_message("WATCHDOG=1")
        worker.send(signal.SIGTERM)
        systemd.await_message("STOPPING=1")
        assert worker.wait() == 0
