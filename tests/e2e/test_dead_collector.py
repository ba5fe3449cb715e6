"""A collector of traces that is gone, or takes them and never answers, delays no exit."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from api_models.status import JobStatus
from tests.cluster.shape import Shape
from tests.e2e.conftest import StartCluster
from tests.gateway import Client
from tests.integration.cli.broken_setups import free_port
from tests.servers.mute import Mute
from tests.servers.process import Account, Process
from worker.emulator.config import EmulatorConfig
from worker.emulator.server import Emulator

EXIT_SECONDS = 15.0
"""The exporter by itself would repeat its request for a minute."""
LISTENS = "Gateway listening at "


@pytest.fixture(params=["gone", "mute"])
def tracing(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """Settings that name such a collector."""
    with closing(Mute()) as mute:
        port = free_port() if request.param == "gone" else mute.port
        yield {"TTSQ_TRACING": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}"}


def test_a_gateway_leaves_in_time(tracing: dict[str, str], tmp_path: Path) -> None:
    """With spans of a job that were never taken."""
    with Emulator(EmulatorConfig()) as emulator:
        settings = {"SEGMIND_API_KEY": emulator.key, "SEGMIND_BASE_URL": emulator.base_url, "NO_PROXY": "127.0.0.1"}
        command = [sys.executable, "-m", "worker.cli", "serve", "--all-in-one", "--port", "0"]
        gateway = Process("gateway", command, tmp_path, Account.own(), {**os.environ, **settings, **tracing})
        try:
            gateway.await_line(LISTENS, 30)
            address = gateway.log.split(LISTENS)[1].split()[0]
            assert Client(address).post("/v1/jobs", {"text": "Hello."}, prefer="wait=30").json["status"] == "succeeded"
            gateway.signal(signal.SIGTERM)
            assert gateway.wait(EXIT_SECONDS) == 0
        finally:
            gateway.end()


def test_a_worker_leaves_in_time(tracing: dict[str, str], start_cluster: StartCluster) -> None:
    """Likewise, and what it did is recorded."""
    cluster = start_cluster(Shape(workers=1, settings=tracing))
    batch = cluster.submit([f"Line {number}." for number in range(5)])
    assert cluster.wait_until_done(batch).by_status == {JobStatus.SUCCEEDED: 5}
    (worker,) = cluster.workers
    worker.send(signal.SIGTERM)
    assert worker.wait(EXIT_SECONDS) == 0, worker.log


def test_a_command_ends_in_time(tracing: dict[str, str], start_cluster: StartCluster) -> None:
    """`ttsq run` with the workers of a cluster: the command itself has spans too."""
    cluster = start_cluster(Shape(workers=1, settings=tracing))
    sheet = cluster.home / "lines.txt"
    sheet.write_text("Hello.\n", encoding="utf-8")
    ended = cluster.ttsq("run", str(sheet), "--yes")
    assert ended.returncode == 0, ended.stdout + ended.stderr
