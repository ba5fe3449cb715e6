"""A cluster under test: started, given work, hurt, looked at. It never touches a row that the queue itself writes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final, Self
from uuid import UUID

from api_models.speech import JobRequest
from api_models.status import TERMINAL, JobStatus
from tests.cluster.processes import NO_PROXY, EmulatorProcess, WorkerProcess
from tests.cluster.services import Place, Services, new_place
from tests.cluster.shape import Shape
from tests.cluster.sight import Sight
from tests.cluster.waiting import wait_for
from tests.servers import forked
from worker import producer
from worker.intake.validation import Row
from worker.producer.documents import Source
from worker.store import schema
from worker.store.database import Database
from worker.store.queries.jobs import Counts

TTSQ: Final = Path(sys.executable).with_name("ttsq")
COMMAND_SECONDS: Final = 60.0
LEADER_SECONDS: Final = 20.0
LOG_TAIL_LINES: Final = 40


class Cluster:
    """A context manager; `start` returns when every worker has signed on."""

    def __init__(self, shape: Shape, services: Services) -> None:
        """The services are borrowed: they must be started, and are left running."""
        self.shape: Final = shape
        self.services: Final = services
        self.workers: Final[list[WorkerProcess]] = []
        """Every worker that was ever added, the dead ones too."""
        self.place: Place
        self.emulator: EmulatorProcess
        self.database: Database
        self.seen: Sight
        self._home: Path
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Make a place on the services, start the emulator, then all workers at once."""
        try:
            self._home = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="ttsq-cluster-")))
            self.place = self._stack.enter_context(new_place(self.services, self._home, migrated=self.shape.migrated))
            self.database = self._stack.enter_context(closing(Database(self.place.database_url, connections=4)))
            if self.shape.migrated:
                schema.upgrade(self.database)
            self.emulator = EmulatorProcess(self.shape.emulator_config(), self._home)
            self._stack.callback(self.emulator.stop)
            self.seen = Sight(self.database, self.place, self.emulator.admin)
            for worker in [self._launch({}) for _ in range(self.shape.workers)]:
                worker.await_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End every process and remove all that the cluster kept."""
        self._stack.close()

    @property
    def home(self) -> Path:
        """A folder that lives as long as the cluster; commands run in `producer` below it."""
        return self._home

    def add_worker(self, **settings: str) -> WorkerProcess:
        """One more worker, up and running; `settings` by environment name win over the cluster's own."""
        worker = self._launch(settings)
        worker.await_ready()
        return worker

    def launch_worker(
        self, *, through: Sequence[str] = (), options: Sequence[str] = (), **settings: str
    ) -> WorkerProcess:
        """One more worker that may not come up. `through` is a command that runs it in another place; `options` are
        Celery's.
        """
        return self._launch(settings, through, options)

    def environment(self) -> dict[str, str]:
        """The settings that all workers share."""
        rpm = {} if self.shape.rpm is None else {"SEGMIND_RPM": f"{self.shape.rpm:g}"}
        # Audio of a fixed size fits no text.
        checks = {} if self.shape.emulator.audio_bytes is None else {"TTSQ_TAKE_CHECKS": "off"}
        return {
            **self.place.environment(),
            **rpm,
            **checks,
            "SEGMIND_BASE_URL": self.emulator.base_url,
            "SEGMIND_API_KEY": self.emulator.key,
            "TTSQ_CONCURRENCY": str(self.shape.slots),
            **self.shape.settings,
        }

    def kill(self, worker: WorkerProcess) -> datetime:
        """Kill a worker (SIGKILL). Returns the time just before."""
        before = datetime.now(UTC)
        worker.send(signal.SIGKILL)
        worker.wait()
        return before

    def terminate(self, worker: WorkerProcess) -> int:
        """Ask a worker to leave in good order (SIGTERM). Returns its exit status."""
        worker.send(signal.SIGTERM)
        return worker.wait()

    def submit(
        self,
        work: Sequence[str | Row],
        *,
        name: str = "work",
        max_cost: Decimal | None = None,
        sources: Mapping[str, Source] | None = None,
    ) -> UUID:
        """Submit a batch of rows or plain texts, with `max_cost` in US dollars as its budget. Returns its id.

        `sources` are documents by the names of their rows.
        """
        rows = [_row(number, item) if isinstance(item, str) else item for number, item in enumerate(work, 1)]
        with self.database.begin() as connection:
            submission = producer.submit_batch(
                connection,
                rows,
                name=name,
                origin=self.emulator.base_url,
                output_url=None,
                max_cost=max_cost,
                sources=sources,
            )
        return submission.batch.id

    def ttsq(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command as a producer with the workers' settings and an empty home."""
        home = self._home / "producer"
        home.mkdir(exist_ok=True)
        own = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", "COLUMNS": "200", **NO_PROXY}
        return forked.run(
            [sys.executable, "-m", "worker.cli", *arguments],
            env={**own, **self.environment()},
            cwd=home,
            timeout=COMMAND_SECONDS,
        )

    def counts(self, batch: UUID) -> Counts:
        """How a batch stands."""
        return self.seen.counts(batch)

    def leader(self) -> WorkerProcess | None:
        """The worker that dispatches now, if one does."""
        leader = self.seen.leader()
        return next((worker for worker in self.workers if self.seen.worker_id(worker.pid) == leader), None)

    def wait_for_leader(self) -> WorkerProcess:
        """The worker that dispatches, as soon as one does.

        Raises:
            NotInTimeError: none did in time.
        """
        return wait_for(self.leader, seconds=LEADER_SECONDS, what="a leader")

    def wait_until_done(self, batch: UUID, timeout: float = 60.0) -> Counts:
        """The counts of a batch once all its jobs are over.

        Raises:
            NotInTimeError: some still weren't after `timeout` seconds; the message has the workers' last words.
        """

        def done() -> Counts | None:
            counts = self.counts(batch)
            return counts if counts.of(*TERMINAL) == counts.total else None

        return wait_for(done, seconds=timeout, what="all jobs over", instead=lambda: self.report(batch))

    def wait_until_succeeded(self, batch: UUID, least: int, timeout: float = 30.0) -> None:
        """Return once this many jobs of a batch have succeeded.

        Raises:
            NotInTimeError: they hadn't after `timeout` seconds.
        """
        wait_for(
            lambda: self.counts(batch).of(JobStatus.SUCCEEDED) >= least,
            seconds=timeout,
            what=f"{least} jobs succeeded",
            instead=lambda: self.report(batch),
        )

    def report(self, batch: UUID) -> str:
        """All that helps to see why something did not happen."""
        lines = [f"counts: {self.counts(batch).by_status}", f"holds: {self.seen.holds()}"]
        for worker in self.workers:
            lines += [f"--- {worker.name} (pid {worker.pid})", *worker.log.splitlines()[-LOG_TAIL_LINES:]]
        return "\n".join(lines)

    def _launch(
        self, settings: dict[str, str], through: Sequence[str] = (), options: Sequence[str] = ()
    ) -> WorkerProcess:
        name = f"worker-{len(self.workers) + 1}"
        environment = {**self.environment(), **settings}
        worker = WorkerProcess(name, environment, self._home, through=through, options=options)
        self.workers.append(worker)
        self._stack.callback(worker.stop)
        return worker


def _row(number: int, text: str) -> Row:
    return Row(number, JobRequest(text=text, custom_id=f"{number:04}"))
