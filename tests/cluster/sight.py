"""What can be seen of a cluster from outside: its rows, its objects, the emulator's books. Reading only."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select

from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from tests.cluster.services import Place
from worker.artifacts.addresses import path_of
from worker.emulator.admin import Admin
from worker.emulator.ledger import text_hash
from worker.results.files import CONTENT_TYPES
from worker.store import workers
from worker.store.database import Database
from worker.store.queries import holds
from worker.store.queries import jobs as job_queries
from worker.store.queries.holds import Hold
from worker.store.queries.jobs import Counts, JobRecord
from worker.store.tables.jobs import Attempt, Job
from worker.store.tables.workers import Worker


@dataclass(frozen=True, slots=True)
class Ended:
    """One attempt as the ledger has it."""

    job_id: UUID
    number: int
    worker_id: UUID | None
    verdict: str
    code: str | None
    message: str | None
    possibly_billed: bool
    started_at: datetime
    finished_at: datetime

    @property
    def never_called(self) -> bool:
        """Whether its worker was asked to leave between claim and call, and handed the job back: nothing was paid."""
        return (self.verdict, self.code, self.possibly_billed) == (VerdictKind.RELEASED, "worker_left", False)


@dataclass(frozen=True, slots=True)
class Sight:
    """Looks at one cluster."""

    database: Database
    place: Place
    admin: Admin

    def counts(self, batch: UUID) -> Counts:
        """How a batch stands."""
        with self.database.read() as connection:
            return job_queries.counts(connection, job_queries.of_batch(batch))

    def jobs(self, batch: UUID, *states: JobStatus) -> list[JobRecord]:
        """The jobs of a batch, in submission order."""
        with self.database.read() as connection:
            return job_queries.jobs(connection, job_queries.of_batch(batch), states=states)

    def attempts(self, batch: UUID) -> list[Ended]:
        """Every ended attempt at a batch's jobs, in the order of their ends."""
        columns = (getattr(Attempt, name) for name in Ended.__slots__)
        with self.database.read() as connection:
            rows = connection.execute(
                select(*columns).where(Attempt.batch_id == batch).order_by(Attempt.finished_at)
            ).all()
        return [Ended(*row) for row in rows]

    def succeeded_since(self, moment: datetime, worker_id: UUID | None = None) -> int:
        """Attempts that began after this moment and ended their job well; those of one worker, or all."""
        well = Attempt.verdict.in_([VerdictKind.SUCCESS, VerdictKind.CACHED])
        which = [well, Attempt.started_at > moment, *([Attempt.worker_id == worker_id] if worker_id else [])]
        with self.database.read() as connection:
            return connection.execute(select(func.count()).select_from(Attempt).where(*which)).scalar_one()

    def holds(self) -> list[Hold]:
        """Why jobs wait now."""
        with self.database.read() as connection:
            return holds.holds(connection, now=self.database.now(connection))

    def texts_of(self, attempts: Sequence[Ended]) -> set[str]:
        """The names that the emulator's ledger has for the texts of these attempts."""
        with self.database.read() as connection:
            which = Job.id.in_([ended.job_id for ended in attempts])
            return {text_hash(job.text) for job in job_queries.jobs(connection, which)}

    def billed_twice(self) -> set[str]:
        """The emulator's names of the texts that it has billed more than once."""
        return {text for text, times in self.admin.state().billed_texts.items() if times > 1}

    def worker_id(self, pid: int) -> UUID:
        """The id under which the worker with this process id signed on."""
        with self.database.read() as connection:
            return connection.execute(select(Worker.id).where(Worker.pid == pid)).scalar_one()

    def known_worker(self, pid: int) -> UUID | None:
        """The same, or None where no worker with this process id has signed on; of several, the latest."""
        latest = select(Worker.id).where(Worker.pid == pid).order_by(Worker.started_at.desc())
        with self.database.read() as connection:
            return connection.execute(latest).scalars().first()

    def attempts_on(self, worker_id: UUID) -> set[tuple[UUID, int]]:
        """The jobs that a worker holds, each with the number of its attempt."""
        running = (Job.status == JobStatus.RUNNING, Job.worker_id == worker_id)
        with self.database.read() as connection:
            return {(row.id, row.attempt) for row in connection.execute(select(Job.id, Job.attempt).where(*running))}

    def running_on(self, pid: int) -> set[UUID]:
        """The jobs that the worker with this process id holds."""
        with self.database.read() as connection:
            which = Job.worker_id == self.worker_id(pid)
            return {job.id for job in job_queries.jobs(connection, which, states=[JobStatus.RUNNING])}

    def leader(self) -> UUID | None:
        """The id of the worker that dispatches now, if one does."""
        with self.database.read() as connection:
            return workers.holder(connection, workers.DISPATCHER, now=self.database.now(connection))

    def audio(self, job: JobRecord) -> bytes:
        """What is stored for a job that succeeded."""
        assert job.uri is not None
        if (path := path_of(job.uri)) is not None:
            return path.read_bytes()
        assert self.place.bucket is not None
        key = job.uri.removeprefix(f"{self.place.bucket.url}/")
        with closing(self.place.bucket.client()) as client:
            return client.get_object(Bucket=self.place.bucket.name, Key=key)["Body"].read()

    def keys(self) -> list[str]:
        """The keys of all audio in the bucket."""
        return [key for key in self.all_keys() if not key.endswith(tuple(CONTENT_TYPES))]

    def all_keys(self) -> list[str]:
        """The keys of all objects in the bucket, the result files of batches as well."""
        assert self.place.bucket is not None
        with closing(self.place.bucket.client()) as client:
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=self.place.bucket.name)
            return [found["Key"] for page in pages for found in page.get("Contents", [])]
