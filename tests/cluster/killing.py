"""A batch on workers that are all killed (SIGKILL) at random moments, and the ledger after it has finished."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import select

from api_models.status import TERMINAL, JobStatus
from api_models.verdict import VerdictKind
from tests.chaos import books
from tests.chaos.books import Books
from tests.chaos.history import AttemptEnd, History, JobEnd
from tests.cluster.cluster import Cluster
from tests.cluster.processes import WorkerProcess
from tests.cluster.shape import Shape
from tests.cluster.waiting import wait_for
from worker.emulator.api.responses import Ending
from worker.emulator.config import EmulatorConfig
from worker.emulator.faults import Effect, Match, Rule
from worker.emulator.ledger import State, text_hash
from worker.store.tables.jobs import Attempt, Job
from worker.store.transitions import billing

AUDIO_BYTES: Final = 24_044
BUSY_SECONDS: Final = 60.0
DONE_SECONDS: Final = 300.0
BOOKED_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Killing:
    """What is spoken, and how it is hurt."""

    api: str
    jobs: int = 300
    kills: int = 20
    """Moments at which every worker is killed."""
    workers: int = 2
    slots: int = 5
    latency_seconds: float = 2.5
    lost_replies: float = 0.02
    """The part of the calls whose reply never arrives, though they are billed."""
    gap_seconds: tuple[float, float] = (0.5, 6.0)
    """From when the workers are at work to their end."""
    seed: int = 1

    def shape(self) -> Shape:
        """The cluster that it needs. A job may be hit by every kill, and must not fail by that alone."""
        lost = Rule(effect=Effect(ending=Ending.LOST), match=Match(probability=self.lost_replies))
        return Shape(
            workers=self.workers,
            slots=self.slots,
            latency_seconds=self.latency_seconds,
            emulator=EmulatorConfig(audio_bytes=AUDIO_BYTES, jitter=0.4, seed=self.seed, rules=(lost,)),
            settings={"SEGMIND_API": self.api, "TTSQ_MAX_ATTEMPTS": str(self.kills + 10)},
        )


@dataclass(slots=True)
class Toll:
    moments: int = 0
    """The times at which workers that held jobs were killed."""
    in_flight: int = 0
    """Calls under way right before those moments, all together."""
    succeeded: int = 0
    failed: list[str] = field(default_factory=list)
    attempts: Sequence[AttemptEnd] = ()
    seen: State | None = None
    books: Books | None = None
    unflagged: set[str] = field(default_factory=set)
    """Texts that were billed more than once, and of which no attempt says that it may have been billed."""
    seconds: float = 0.0

    @property
    def bill(self) -> State:
        """What the API has seen."""
        assert self.seen is not None
        return self.seen

    @property
    def again(self) -> int:
        """Calls that were billed beyond one a text."""
        return sum(times - 1 for times in self.bill.billed_texts.values())

    @property
    def lost(self) -> int:
        """Attempts that ended with their worker, each with at most one call in flight."""
        return sum(ended.verdict == VerdictKind.LOST for ended in self.attempts)

    @property
    def lost_replies(self) -> int:
        """Calls that were billed and whose answer the API itself lost."""
        return self.bill.statuses.get("lost", 0)

    @property
    def in_doubt(self) -> int:
        """Attempts that say they may have been billed."""
        return sum(ended.possibly_billed for ended in self.attempts)

    @property
    def faults(self) -> list[str]:
        """Where the books of the queue and of the API disagree, and texts that were bought twice unnoticed."""
        assert self.books is not None
        found = [f"{fault.breach}: {fault.words}" for fault in self.books.faults]
        unheard = sum((line.cost for line in self.books.unheard), Decimal(0))
        if self.books.charged + unheard != self.books.billed:
            found.append(f"{self.books.charged} charged and {unheard} in doubt, of {self.books.billed} billed")
        found += [f"billed twice, and no attempt in doubt: {text}" for text in sorted(self.unflagged)]
        return found + self.failed


def killed_run(
    cluster: Cluster, killing: Killing, texts: Sequence[str], say: Callable[[str], None] = lambda _: None
) -> Toll:
    """Speak the texts on a cluster of this shape while its workers are killed, and wait for the end of all of it."""
    rng, toll, began = random.Random(killing.seed), Toll(), time.monotonic()
    batch = cluster.submit(texts)
    workers = list(cluster.workers)
    for number in range(1, killing.kills + 1):
        if not _at_work(cluster, batch):
            break
        time.sleep(rng.uniform(*killing.gap_seconds))
        toll.in_flight += cluster.emulator.admin.state(detail=False).in_flight
        toll.moments += 1
        workers = replaced(cluster, workers)
        counts = cluster.counts(batch)
        say(f"killed {number} times; {counts.of(JobStatus.SUCCEEDED)} of {counts.total} jobs succeeded")
    counts = cluster.wait_until_done(batch, DONE_SECONDS)
    _wait_until_booked(cluster, workers)
    toll.seconds = time.monotonic() - began
    toll.succeeded = counts.of(JobStatus.SUCCEEDED)
    toll.failed = [f"{job.status}: {job.code}: {job.message}" for job in cluster.seen.jobs(batch, JobStatus.FAILED)]
    _compare(cluster, batch, toll)
    return toll


def _at_work(cluster: Cluster, batch: UUID) -> bool:
    """Wait until a job runs; false where none will any more."""

    def look() -> str | None:
        counts = cluster.counts(batch)
        if counts.of(*TERMINAL) == counts.total:
            return "over"
        return "busy" if cluster.emulator.admin.state(detail=False).in_flight else None

    return wait_for(look, seconds=BUSY_SECONDS, what="a call", instead=lambda: cluster.report(batch)) == "busy"


def replaced(cluster: Cluster, workers: Sequence[WorkerProcess]) -> list[WorkerProcess]:
    """Kill them all at once; each is followed by one that finds its spool."""
    for worker in workers:
        worker.send(signal.SIGKILL)
    for worker in workers:
        worker.wait()
    following = [cluster.launch_worker(TTSQ_SPOOL_DIR=str(worker.spool)) for worker in workers]
    for worker in following:
        worker.await_ready()
    return following


def _wait_until_booked(cluster: Cluster, workers: Sequence[WorkerProcess]) -> None:
    """All calls are answered, and what lies in a spool is in the ledger: workers look for it every now and then."""

    def booked() -> bool:
        names = [name.split(".") for worker in workers for name in worker.spooled() if name.endswith(".audio")]
        with cluster.database.read() as connection:
            lost = billing.lost(connection, [(UUID(job), int(number)) for job, number, *_ in names])
        return not lost and not cluster.emulator.admin.state(detail=False).in_flight

    wait_for(booked, seconds=BOOKED_SECONDS, what="everything in the books")


def _compare(cluster: Cluster, batch: UUID, toll: Toll) -> None:
    toll.seen = cluster.emulator.state
    with cluster.database.read() as connection:
        job_columns = [getattr(Job, name) for name in JobEnd.__slots__]
        jobs = [JobEnd(*row) for row in connection.execute(select(*job_columns).where(Job.batch_id == batch))]
        columns = [getattr(Attempt, name) for name in AttemptEnd.__slots__]
        toll.attempts = [
            AttemptEnd(*row) for row in connection.execute(select(*columns).where(Attempt.batch_id == batch))
        ]
    hashed = [
        JobEnd(**{name: getattr(job, name) for name in JobEnd.__slots__} | {"text": text_hash(job.text)})
        for job in jobs
    ]
    toll.books = books.compare(History(hashed, toll.attempts, toll.seen.bill, objects={}))
    texts = {job.id: job.text for job in hashed}
    charged = {ended.request_id for ended in toll.attempts if ended.cost}
    unheard = {line.text for line in toll.seen.bill if line.request_id not in charged}
    toll.unflagged = unheard - {texts[ended.job_id] for ended in toll.attempts if ended.possibly_billed}
