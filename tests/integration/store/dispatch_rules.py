"""Steps of producers and dispatchers in the store and in its model: the first half of `test_machine`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from datetime import timedelta
from decimal import Decimal
from operator import attrgetter
from typing import Any, Final
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from sqlalchemy import Connection, select

from api_models.status import TERMINAL, TRANSITIONS, JobStatus
from tests.factories import NOW, add_batch, add_worker, job_row
from tests.integration.store_model import ZERO, Entry, Model, ModelJob, ModelWorker
from worker.store import workers
from worker.store.database import Database
from worker.store.queries import attempts, counters
from worker.store.queries import jobs as job_queries
from worker.store.tables.jobs import Attempt, Batch, Job
from worker.store.tables.workers import Lease, Worker
from worker.store.transitions import (
    actions,
    dispatches,
    followers,
    rescues,
)
from worker.store.transitions.claims import Claim

MAX_ATTEMPTS: Final = 3
LAPSE: Final = timedelta(seconds=8)
MESSAGE_LIFE: Final = timedelta(seconds=12)
LEASE_SECONDS: Final = 4.0

BATCHES: Final = (UUID(int=1), UUID(int=2))
WORKERS: Final = tuple(UUID(int=number) for number in range(10, 14))
DISPATCHERS: Final = (UUID(int=20), UUID(int=21))
LEASE: Final = "dispatcher"
COSTS: Final = (ZERO, Decimal("0.0067"), Decimal("0.000000000001"))
ENDED: Final = (JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.EXPIRED)

some = st.sampled_from
texts = some(("One.", "Two.", "Three."))
seconds = some((-30.0, 0.5, 3.0, 4.0, 9.0, 20.0, 700.0)).map(lambda number: timedelta(seconds=number))
later = some((None, None, None, None, None, -5, 5, 600)).map(
    lambda number: None if number is None else timedelta(seconds=number)
)
lives = some((None, None, 8, 600)).map(lambda number: None if number is None else timedelta(seconds=number))


class Rows:
    """The rows of a table as the model has them: its fields are named as the columns."""

    def __init__(self, kind: type, table: Any) -> None:  # noqa: ANN401 - a mapped class
        self.names = [field.name for field in fields(kind)]
        self._query = select(*(getattr(table, name) for name in self.names))
        self._values = attrgetter(*self.names)

    def stored(self, connection: Connection) -> set[tuple[Any, ...]]:
        """As they are."""
        return {tuple(row) for row in connection.execute(self._query)}

    def meant(self, values: Iterable[object]) -> set[tuple[Any, ...]]:
        """As they should be."""
        return {self._values(value) for value in values}


JOBS: Final = Rows(ModelJob, Job)
LEDGER: Final = Rows(Entry, Attempt)
WORKERS_ROWS: Final = select(Worker.id, Worker.heartbeat_at, Worker.stopping, Worker.stopped_at)
LEASE_ROW: Final = select(Lease.holder, Lease.expires_at).where(Lease.name == LEASE)
SPENT: Final = select(Batch.id, Batch.spent)


class DispatchRules(RuleBasedStateMachine):
    """Does the same to the store and to its model, and compares what they say and what they hold."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self.model = Model()
        self.now = NOW
        self.claims: list[Claim] = []
        self.messages: list[tuple[UUID, int]] = []
        self.handles = 0
        self.sound = True
        self.looking = True
        self.before: dict[UUID, ModelJob] = {}
        self._transaction = database.begin()
        self.connection = self._transaction.__enter__()
        for batch in BATCHES:
            add_batch(self.connection, id=batch)

    def teardown(self) -> None:
        """Let everything come to its end, and leave nothing behind."""
        try:
            if self.sound:
                self.drain()
        finally:
            self.connection.rollback()
            self._transaction.__exit__(None, None, None)

    # Comparing.

    def same(self, got: object, meant: object) -> None:
        """What a statement said is what the model says, and so is everything that is stored."""
        self.sound = False
        assert got == meant
        self.now += timedelta(microseconds=1)
        if self.looking:
            self.look()
        self.sound = True

    def look(self) -> None:
        """Everything that is stored."""
        assert JOBS.stored(self.connection) == JOBS.meant(self.model.jobs.values())
        assert LEDGER.stored(self.connection) == LEDGER.meant(self.model.ledger.values())
        assert {row[0]: ModelWorker(*row[1:]) for row in self.connection.execute(WORKERS_ROWS)} == self.model.workers
        lease = self.connection.execute(LEASE_ROW).one_or_none()
        assert (None if lease is None else tuple(lease)) == self.model.lease
        spent = {row.id: row.spent for row in self.connection.execute(SPENT)}
        assert spent == {batch: self.model.spent(batch) for batch in BATCHES}
        counted = job_queries.counts(self.connection, job_queries.all_jobs())
        assert counted.by_status == Counter(job.status for job in self.model.jobs.values())
        assert counted.cost == sum((job.cost for job in self.model.jobs.values()), ZERO)
        for job in self.model.jobs.values():
            self.lawful(self.before.get(job.id), job)
        self.before = dict(self.model.jobs)

    def lawful(self, before: ModelJob | None, job: ModelJob) -> None:
        """What holds for every job after every statement, whatever the model says."""
        paid = sum((entry.cost for entry in self.model.ledger.values() if entry.job_id == job.id), ZERO)
        assert job.cost == paid
        assert 0 <= job.attempts_used <= min(job.attempt, MAX_ATTEMPTS)
        assert (job.status in TERMINAL) == (job.finished_at is not None)
        assert all(entry.number <= job.attempt for entry in self.model.ledger.values() if entry.job_id == job.id)
        if before is None:
            return
        assert job.status == before.status or job.status in TRANSITIONS[before.status]
        assert before.attempt <= job.attempt <= before.attempt + 1
        if before.status is JobStatus.SUCCEEDED:
            assert replace(job, cost=before.cost) == before

    # Producers and people.

    @initialize(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        """A few jobs and workers to begin with."""
        for worker in WORKERS[:2]:
            self.sign_on(worker)
        self.submit(data, number=4)

    @rule(data=st.data(), number=st.integers(1, 3))
    def submit(self, data: st.DataObject, number: int) -> None:
        """New jobs, some for later, some with a deadline."""
        jobs = [self._new_job(data, len(self.model.jobs) + added) for added in range(number)]
        rows = [job_row(text=text, **{name: getattr(job, name) for name in JOBS.names}) for job, text in jobs]
        for row in rows:
            row["lane"] = row["batch_id"] or UUID(int=0)
        added = actions.submit(self.connection, rows)
        self.model.jobs |= {job.id: job for job, _ in jobs}
        self.same(added, number)

    def _new_job(self, data: st.DataObject, number: int) -> tuple[ModelJob, str]:
        text, wait, life = data.draw(texts), data.draw(later), data.draw(lives)
        job = ModelJob(
            id=UUID(int=100 + number),
            batch_id=data.draw(some((None, *BATCHES))),
            priority=data.draw(some((-1, 0, 0, 1))),
            fingerprint=text,
            use_cache=data.draw(st.booleans()),
            status=JobStatus.QUEUED if wait is None else JobStatus.SCHEDULED,
            not_before=None if wait is None else self.now + wait,
            deadline=None if life is None else self.now + life,
        )
        return job, text

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        jobs = self._some_jobs(data)
        cancelled = actions.cancel(self.connection, actions.these(jobs), now=self.now)
        self.same(cancelled, self.model.cancel(jobs, self.now))

    @rule(data=st.data(), states=st.lists(some(JobStatus), max_size=3) | st.just(list(ENDED)))
    def retry(self, data: st.DataObject, states: list[JobStatus]) -> None:
        jobs = self._some_jobs(data)
        retried = actions.retry(self.connection, actions.these(jobs), states=states)
        self.same(retried, self.model.retry(jobs, states))

    # Dispatchers.

    @rule(step=seconds)
    def clock(self, step: timedelta) -> None:
        """Time passes, or is set back."""
        self.now += step

    @rule()
    def fold(self) -> None:
        """The leader folds the tallies; nothing that anybody sees changes."""
        counters.fold(self.connection)
        self.same(None, None)

    @rule(who=some(DISPATCHERS), resigns=some((False, False, False, True)))
    def lead(self, who: UUID, resigns: bool) -> None:
        """A dispatcher asks for the lease, or renews it; one that stops hands it on."""
        if resigns:
            self._resign(who)
            return
        got = workers.hold(self.connection, LEASE, who, seconds=LEASE_SECONDS, now=self.now)
        self.same(got, self.model.hold_lease(who, LEASE_SECONDS, self.now))
        holder = workers.holder(self.connection, LEASE, now=self.now)
        assert (holder == who) is got

    def _resign(self, who: UUID) -> None:
        workers.release_leases(self.connection, who)
        if self.model.lease is not None and self.model.lease[0] == who:
            self.model.lease = None
        self.same(None, None)

    @rule(step=some((0, 0, 9, 700)))
    def pass_time(self, step: int) -> None:
        """Time passes, and what it does is done."""
        self.now += timedelta(seconds=step)
        self.do_chores()

    def do_chores(self) -> None:
        """What passes with time."""
        self.same(dispatches.promote(self.connection, now=self.now), self.model.promote(self.now))
        self.same(dispatches.expire(self.connection, now=self.now), self.model.expire(self.now))
        overdue = self.now - MESSAGE_LIFE
        lost = dispatches.give_up_messages(self.connection, sent_before=overdue)
        self.same(lost, self.model.take_back(lambda job: job.dispatched_at is not None and job.dispatched_at < overdue))

    @rule(data=st.data(), worker=st.none() | some(WORKERS))
    def dispatch(self, data: st.DataObject, worker: UUID | None) -> None:
        """A dispatcher, leading or not any more, sends messages for jobs that it took to be queued."""
        jobs = self._some_jobs(data)
        sent = dispatches.dispatch(self.connection, jobs, worker_id=worker, now=self.now)
        self._sent(sent, self.model.dispatch(jobs, worker, self.now))

    def _sent(self, sent: Sequence[dispatches.Waiting], meant: set[tuple[UUID, int]]) -> None:
        messages = [(message.job_id, message.attempt) for message in sent]
        self.messages += sorted(messages)
        self.same(sorted(messages), sorted(meant))

    @rule(data=st.data(), leads=st.booleans())
    def follow(self, data: st.DataObject, leads: bool) -> None:
        """Jobs stand aside for one that buys what they want, or are let go because it has ended."""
        jobs = self._some_jobs(data)
        if leads:
            leaders = dict.fromkeys(jobs, data.draw(some(sorted(self.model.jobs))))
            followers.follow(self.connection, leaders, now=self.now)
            self.model.follow(leaders, self.now + timedelta(seconds=followers.PATIENCE_SECONDS))
            self.same(None, None)
        else:
            self.same(followers.release(self.connection, jobs), self.model.release(jobs))

    @rule(data=st.data(), worker=st.none() | some(WORKERS))
    def take_back(self, data: st.DataObject, worker: UUID | None) -> None:
        """Messages that could not be sent, or those that a worker with a broker of its own had not claimed."""
        if worker is None:
            jobs = self._some_jobs(data)
            taken = dispatches.take_back(self.connection, jobs)
            self.same(taken, self.model.take_back(lambda job: job.id in jobs))
            return
        taken = dispatches.take_back_all(self.connection, worker_id=worker)
        self.same(taken, self.model.take_back(lambda job: job.worker_id == worker))

    @rule()
    def read_news(self) -> None:
        """The leader reads what ended: each once, the oldest first, and its cost goes where it belongs."""
        news = attempts.take_news(self.connection)
        meant = self.model.take_news()
        assert [ended.finished_at for ended in news] == [entry.finished_at for entry in meant]
        told = sorted((str(ended.verdict), ended.finished_at, ended.cost) for ended in news)
        self.same(told, sorted((str(entry.verdict), entry.finished_at, entry.cost) for entry in meant))

    @rule(dead=st.lists(some(WORKERS), unique=True))
    def rescue(self, dead: list[UUID]) -> None:
        """Workers are taken for dead, rightly or not."""
        rescued = rescues.rescue(self.connection, dead, max_attempts=MAX_ATTEMPTS, now=self.now)
        self.same((rescued.requeued, rescued.failed), self.model.rescue(dead, MAX_ATTEMPTS, self.now))

    @rule()
    def bury(self) -> None:
        """The leader retires workers without a heartbeat, as `worker.dispatch` does, and rescues their jobs."""
        limit = self.now - LAPSE
        silent = [member.id for member in workers.present(self.connection) if member.heartbeat_at < limit]
        abandoned = rescues.abandoned(self.connection, started_before=limit)
        assert (sorted(silent), set(abandoned)) == (sorted(self.model.silent(limit)), self.model.abandoned(limit))
        dead = sorted({*silent, *abandoned})
        self.rescue(dead)
        for worker in silent:
            workers.sign_off(self.connection, worker, now=self.now)
            self.model.sign_off(worker, self.now)
        self.same(None, None)

    # Workers.

    def sign_on(self, worker: UUID) -> None:
        """A worker begins."""
        add_worker(self.connection, id=worker, heartbeat_at=self.now)
        self.model.workers[worker] = ModelWorker(self.now)
        self.same(None, None)

    def _some_jobs(self, data: st.DataObject) -> list[UUID]:
        jobs = sorted(self.model.jobs)
        return data.draw(st.just(jobs) | st.lists(some(jobs), min_size=1, max_size=4, unique=True))

    def drain(self) -> None:
        """Let all that is under way end; the workers' half does."""
        raise NotImplementedError
