"""One database with a long past and a queue that grows, and the ways in which its length could be felt."""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sqlalchemy import select

from api_models.access import EVERYTHING
from api_models.registry import DEFAULT_MODEL, MODELS
from api_models.speech import JobRequest
from api_models.verdict import GateScope
from benchmarks import harness, stock
from benchmarks.driving import Driven, broker_bytes
from benchmarks.processes import Measured
from benchmarks.stock import Lot
from benchmarks.texts import text
from tests.cluster.waiting import wait_for
from tests.servers.valkey import Valkey
from worker import producer
from worker.emulator.config import EmulatorConfig
from worker.store import account, schema
from worker.store.access import api_keys
from worker.store.account import gate_name
from worker.store.database import Database
from worker.store.tables.jobs import Job

STARTS_PER_TICK: Final = 10
WARMING: Final = 5
"""Ticks, and single jobs, that don't count."""
PAUSE_SECONDS: Final = 0.03
GAP_SECONDS: Final = 0.1
PATIENCE_SECONDS: Final = 30.0
LISTENS: Final = "Gateway listening at "
FREE_MODEL: Final = next(model for model in MODELS if model != DEFAULT_MODEL)
"""What waits is of the other model."""


@dataclass(slots=True)
class WaitingLine:
    """What stands in a database, and how long each thing takes beside it."""

    database: Database
    valkey: Valkey
    folder: Path
    over: int
    """Jobs that are over."""
    length: int = 0
    """Jobs that wait."""
    lot: Lot = field(default_factory=lambda: Lot(1, 0, is_over=True))
    """The rows that came last."""

    def begin(self) -> None:
        """Migrate, and write the past."""
        schema.upgrade(self.database)
        self.lot = Lot(1, self.over, is_over=True)
        stock.add(self.database, self.lot)

    def grow(self, length: int) -> None:
        """As many wait now as `length` says."""
        self.lot = Lot(self.lot.last + 1, length - self.length, is_over=False)
        stock.add(self.database, self.lot)
        self.length = length

    def drive(self, ticks: int) -> dict[str, float]:
        """The median seconds of a tick that starts a few jobs, and of one job's claim."""
        driven = Driven(self.database, self.valkey, workers=1, slots=STARTS_PER_TICK)
        tick_seconds: list[float] = []
        claim_seconds: list[float] = []
        for number in range(ticks + WARMING):
            driven.beat()
            jobs, seconds = driven.tick()
            claims = [driven.claim(job) for job in jobs]
            driven.succeed([claim for claim, _ in claims])
            self.length -= len(jobs)
            if number >= WARMING:
                tick_seconds.append(seconds)
                claim_seconds += [one for _, one in claims]
            time.sleep(PAUSE_SECONDS)
        driven.leave()
        return {"tick": statistics.median(tick_seconds), "claim": statistics.median(claim_seconds)}

    def ask(self, times: int) -> dict[str, float]:
        """The median seconds of each question that users ask."""
        with self.database.begin() as connection:
            _, key = api_keys.make(
                connection,
                tenant=stock.tenant_of(self.lot.first),
                name=f"bench {self.length}",
                scopes=EVERYTHING,
                rate=None,
                budget=None,
                now=self.database.now(connection),
            )
        batch, job = stock.batch_of(self.lot, self.lot.first), stock.id_of(self.lot.first)
        with self._gateway() as address:
            command = [sys.executable, "-m", "benchmarks.asking", str(times), str(batch), str(job), address, key]
            done = subprocess.run(command, env=self._settings(), capture_output=True, text=True, check=True)
        answer: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return answer

    def singles(self, jobs: int) -> tuple[float, int]:
        """A worker beside the queue, which a closed gate holds: the median wait of single jobs that pass it.

        And by how many bytes the broker's memory has grown meanwhile.
        """
        self.valkey.flush()
        before = broker_bytes(self.valkey)
        quick = EmulatorConfig(audio_bytes=24_044, latency_seconds=0.02)
        with self._held(), harness.emulator(quick, self.folder) as api:
            settings = self._settings(
                TTSQ_ARTIFACTS_URL=(self.folder / "audio").as_uri(),
                TTSQ_SPOOL_DIR=str(self.folder / "spool"),
                TTSQ_CONCURRENCY=str(STARTS_PER_TICK),
                TTSQ_TAKE_CHECKS="off",
                SEGMIND_RPM="unlimited",
                SEGMIND_BASE_URL=api.base_url,
                SEGMIND_API_KEY=api.key,
            )
            command = [sys.executable, "-m", "celery", "-A", "worker.app", "worker"]
            with Measured("worker", command, self.folder, settings) as worker:
                worker.await_line("worker_started")
                waits = [self._wait(api.base_url, number, worker) for number in range(jobs + WARMING)][WARMING:]
                grown = broker_bytes(self.valkey) - before
                worker.stop()
        return statistics.median(waits), grown

    def _wait(self, origin: str, number: int, worker: Measured) -> float:
        """From the commit of one job to its claim, in seconds."""
        request = JobRequest(text=text(-number - 1), model=FREE_MODEL, cache="bypass")
        with self.database.begin() as connection:
            job = producer.enqueue(connection, request, tenant="another tenant", origin=origin)

        def times() -> tuple[float, float] | None:
            with self.database.read() as connection:
                query = select(Job.created_at, Job.started_at).where(Job.id == job)
                created, started = connection.execute(query).one()
                return (created.timestamp(), started.timestamp()) if started else None

        created, started = wait_for(
            times, seconds=PATIENCE_SECONDS, what="a single job's start", instead=lambda: worker.log
        )
        time.sleep(GAP_SECONDS)
        return started - created

    @contextmanager
    def _held(self) -> Iterator[None]:
        """The queue's model may not be called."""
        with self.database.begin() as connection:
            now = self.database.now(connection)
            account.hold_gate(connection, GateScope.MODEL, DEFAULT_MODEL, message="not now", now=now)
        yield
        with self.database.begin() as connection:
            account.open_gate(connection, gate_name(GateScope.MODEL, DEFAULT_MODEL))

    @contextmanager
    def _gateway(self) -> Iterator[str]:
        command = [sys.executable, "-u", "-m", "worker.cli", "serve", "--port", "0"]
        with Measured("gateway", command, self.folder, self._settings()) as gateway:
            gateway.await_line(LISTENS)
            found = re.search(LISTENS + r"(\S+)", gateway.log)
            assert found is not None
            yield found[1].rstrip("/")
            gateway.stop()

    def _settings(self, **more: str) -> dict[str, str]:
        url = self.database.url.render_as_string(hide_password=False)
        return harness.environment(TTSQ_DATABASE_URL=url, TTSQ_BROKER_URL=self.valkey.url, **more)
