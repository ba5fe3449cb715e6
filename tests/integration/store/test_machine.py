"""The store against its model, step by step, in whatever order Hypothesis thinks of: all statements, messages that come
twice or late, two dispatchers, workers that come, die and come back, and clocks that jump.

Each example lives in one transaction, which is rolled back: thousands of steps take seconds. What many transactions do
to one another is shown in `test_rivals`. `STORE_MACHINE_EXAMPLES=5000` makes a long run, at random instead of the same
every time.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, replace
from datetime import datetime, timedelta
from decimal import Decimal
from operator import attrgetter
from typing import Any, Final
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from sqlalchemy import Connection, select

from api_models.status import TERMINAL, TRANSITIONS, JobStatus
from api_models.verdict import VerdictKind
from tests.factories import NOW, add_batch, add_worker, job_row, some_audio
from tests.integration.store_model import ZERO, Entry, Model, ModelJob, ModelWorker
from tests.thorough import thorough
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
from worker.store.transitions import (
    claims as job_claims,
)
from worker.store.transitions import (
    settlement as job_settlement,
)
from worker.store.transitions.claims import Claim
from worker.store.transitions.settlement import Settlement

EXAMPLES: Final = int(os.environ.get("STORE_MACHINE_EXAMPLES", "0"))
STEPS: Final = 50
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


class StoreMachine(RuleBasedStateMachine):
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

    @rule(worker=some(WORKERS))
    def beat(self, worker: UUID) -> None:
        """A sign of life, of a worker that may have been given up."""
        if worker not in self.model.workers:
            self.sign_on(worker)
            return
        known = workers.beat(self.connection, worker, problem=None, stopping=False, now=self.now)
        self.same(known, self.model.beat(worker, self.now))

    @rule(worker=some(WORKERS[:2]))
    def sign_off(self, worker: UUID) -> None:
        """A worker leaves; with something under way its row stays, and it is missed."""
        workers.sign_off(self.connection, worker, now=self.now)
        self.model.sign_off(worker, self.now)
        self.same(None, None)

    @precondition(lambda self: self.messages)
    @rule(data=st.data())
    def claim(self, data: st.DataObject) -> None:
        """A worker, known or given up, takes messages: new, late, and twice the same."""
        latest = self.messages[-4:]
        turns = data.draw(st.lists(some(latest) | some(self.messages), min_size=1, max_size=5))
        self._claim(turns, data.draw(some(sorted(self.model.workers))))

    def _claim(self, turns: Sequence[tuple[UUID, int]], worker: UUID) -> None:
        got = job_claims.claim_all(self.connection, turns, worker_id=worker, now=self.now)
        meant = self.model.claim(turns, worker, self.now)
        for claim in filter(None, got):
            twins = self.model.twins(claim.job_id) if claim.use_cache else set()
            assert claim.twin in twins or (claim.twin is None and not twins)
        self.claims += [claim for claim in got if claim]
        self.same([_as_said(claim) for claim in got], [_as_meant(job) for job in meant])

    @rule(worker=some(WORKERS[:2]), most=st.integers(1, 4))
    def go_on(self, worker: UUID, most: int) -> None:
        """As it should be: the most urgent jobs are sent, and a worker takes them, whatever old messages still come."""
        turns = self._dispatch_heads(most)
        old = [(job_id, number - 1) for job_id, number in turns if number]
        if turns:
            self._claim([*old, *turns, *turns[:1]], worker)

    def _dispatch_heads(self, most: int) -> list[tuple[UUID, int]]:
        lanes = dispatches.lanes(self.connection, most=50)
        heads = [head for lane in lanes for head in dispatches.heads(self.connection, lane, most=50)]
        assert {head.job_id for head in heads} == self.model.queued()
        urgency = [self.model.jobs[head.job_id].priority for head in heads]
        assert urgency == sorted(urgency, reverse=True)
        jobs = [head.job_id for head in heads[:most]]
        self._sent(
            dispatches.dispatch(self.connection, jobs, worker_id=None, now=self.now),
            self.model.dispatch(jobs, None, self.now),
        )
        return [(head.job_id, head.attempt) for head in heads[:most]]

    @rule(data=st.data(), worker=some(WORKERS[:2]), most=st.integers(1, 4))
    def carry_out(self, data: st.DataObject, worker: UUID, most: int) -> None:
        """Some are sent, taken and come to an end at once."""
        before = len(self.claims)
        self.go_on(worker, most)
        for claim in self.claims[before:]:
            self._settle(claim, self._settlement(data, claim))

    @rule(data=st.data(), worker=some(WORKERS[:2]))
    def fail(self, data: st.DataObject, worker: UUID) -> None:
        """All are tried, fail one way or the other, and are tried again."""
        before = len(self.claims)
        self.go_on(worker, most=1_000)
        for claim in self.claims[before:]:
            self._settle(claim, self._settlement(data, claim, endings=("refused", "bad take", "retry", "crash")))
        jobs = sorted(self.model.jobs)
        self.same(
            actions.retry(self.connection, actions.these(jobs), states=ENDED),
            self.model.retry(jobs, ENDED),
        )

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def keep_handle(self, data: st.DataObject) -> None:
        """A worker, late or not, has submitted a request (v2)."""
        claim = self._some_claim(data)
        self.handles += 1
        handle = f"handle-{self.handles}"
        job_claims.keep(self.connection, [(claim, handle)])
        self.model.keep_handle(claim, handle)
        self.same(None, None)

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        """An attempt ends, in time, late, or said for the second time. All ask first whether their jobs are theirs."""
        claim = self._some_claim(data)
        owned = job_claims.are_owned(self.connection, self.claims)
        assert owned == [self.model.is_owned(claim) for claim in self.claims]
        self._settle(claim, self._settlement(data, claim))

    def _settle(self, claim: Claim, settlement: Settlement) -> None:
        won = job_settlement.settle(self.connection, claim, settlement, now=self.now)
        self.same(won, self.model.settle(claim, settlement, self.now))

    @precondition(lambda self: len(self.claims) > 1)
    @rule(data=st.data())
    def settle_together(self, data: st.DataObject) -> None:
        """Attempts end at the same moment: they are written together, or one by one where a job was taken away."""
        claims = data.draw(st.lists(some(self.claims[-6:]), min_size=2, max_size=4, unique_by=lambda one: one.job_id))
        ended = [(claim, self._settlement(data, claim)) for claim in claims if not job_settlement.may_repeat(claim)]
        together = self.connection.begin_nested()
        won = job_settlement.settle_all_at_once(self.connection, ended, now=self.now) if ended else []
        if won is None or not all(won):
            together.rollback()
            for claim, settlement in ended:
                self._settle(claim, settlement)
        else:
            together.commit()
            self.same(won, [self.model.settle(claim, settlement, self.now) for claim, settlement in ended])

    def _settlement(self, data: st.DataObject, claim: Claim, endings: Sequence[str] = ()) -> Settlement:
        """Any ending, or any of these, that the rules allow for this claim."""
        last = claim.attempts_used >= MAX_ATTEMPTS
        known = endings or [name for name in _ENDINGS if name != "overtaken" or not self.model.is_owned(claim)]
        settlement = _ENDINGS[data.draw(some(known))](self.now)
        if last and settlement.counts and settlement.status not in TERMINAL:
            settlement = replace(settlement, status=JobStatus.FAILED, not_before=None)
        cost = ZERO if settlement.verdict in {VerdictKind.CACHED, VerdictKind.GATE} else data.draw(some(COSTS))
        request = data.draw(some((None, claim.request_id, f"request-{claim.job_id}-{claim.attempt}")))
        spent = data.draw(some((None, claim.request_id)))
        return replace(settlement, cost=cost, request_id=request, spent_handle=spent)

    @rule(data=st.data(), worker=some(WORKERS))
    def disown(self, data: st.DataObject, worker: UUID) -> None:
        """A worker finds jobs under its name that it doesn't hold."""
        jobs = self._some_jobs(data)
        running = set(job_claims.running_here(self.connection, worker)) & set(jobs)
        given_back = rescues.disown(self.connection, jobs, worker_id=worker)
        assert given_back == len(running)
        self.same(given_back, self.model.disown(jobs, worker))

    # What the rules draw from.

    def _some_jobs(self, data: st.DataObject) -> list[UUID]:
        jobs = sorted(self.model.jobs)
        return data.draw(st.just(jobs) | st.lists(some(jobs), min_size=1, max_size=4, unique=True))

    def _some_claim(self, data: st.DataObject) -> Claim:
        return data.draw(some(self.claims[-4:]) | some(self.claims))

    # The end.

    def drain(self) -> None:
        """Whatever has happened: one worker that lives and one dispatcher that leads bring every job to its end."""
        alive, rounds = UUID(int=99), 0
        self.looking = False
        while not {job.status for job in self.model.jobs.values()} <= TERMINAL:
            rounds += 1
            assert rounds <= MAX_ATTEMPTS + 2
            self.now += timedelta(hours=2)
            (self.beat if alive in self.model.workers else self.sign_on)(alive)
            self.bury()
            self.do_chores()
            self._claim(self._dispatch_heads(most=1_000), alive)
            for claim in self.claims[::-1]:
                if self.model.is_owned(claim) and claim.worker_id == alive:
                    self._settle(claim, _ENDINGS["success"](self.now))
        self.read_news()
        self.read_news()
        self.before = self.model.jobs
        self.look()
        assert self.model.spent(BATCHES[0]) + self.model.spent(BATCHES[1]) == sum(
            (job.cost for job in self.model.jobs.values() if job.batch_id is not None), ZERO
        )


def _success(_: datetime) -> Settlement:
    return Settlement(JobStatus.SUCCEEDED, VerdictKind.SUCCESS, audio=some_audio())


def _back(verdict: VerdictKind, **changes: Any) -> Callable[[datetime], Settlement]:  # noqa: ANN401 - any of its fields
    plain = Settlement(JobStatus.QUEUED, verdict, code=str(verdict))
    return lambda _: replace(plain, **changes)


def _wait(verdict: VerdictKind, **changes: Any) -> Callable[[datetime], Settlement]:  # noqa: ANN401 - as above
    plain = Settlement(JobStatus.SCHEDULED, verdict, code=str(verdict))
    return lambda now: replace(plain, not_before=now + timedelta(seconds=7), **changes)


_ENDINGS: Final[dict[str, Callable[[datetime], Settlement]]] = {
    "success": _success,
    "copy": lambda now: replace(_success(now), verdict=VerdictKind.CACHED),
    "refused": _back(VerdictKind.REFUSED, status=JobStatus.FAILED),
    "bad take": _back(VerdictKind.BAD_TAKE, bad_take=True),
    "gate": _back(VerdictKind.GATE, counts=False),
    "pace": _back(VerdictKind.PACE, counts=False),
    "retry": _wait(VerdictKind.RETRY),
    "no connection": _wait(VerdictKind.RETRY, counts=False),
    "crash": _wait(VerdictKind.RETRY, recover=True),
    "handed back": _back(VerdictKind.RELEASED, counts=False, recover=True),
    "handed back for later": _wait(VerdictKind.RELEASED, counts=False, recover=True),
    "overtaken": _back(VerdictKind.LATE, counts=False, recover=True),
}


_SAID: Final = attrgetter(
    "attempt", "attempts_used", "takes_used", "recover", "request_id", "worker_id", "started_at", "use_cache"
)
"""What a claim says of its job, in the names of both."""


def _as_said(claim: Claim | None) -> tuple[UUID, tuple[object, ...]] | None:
    return None if claim is None else (claim.job_id, _SAID(claim))


def _as_meant(job: ModelJob | None) -> tuple[UUID, tuple[object, ...]] | None:
    return None if job is None else (job.id, _SAID(job))


def run(database: Database, *, examples: int) -> None:
    """Run `examples` examples; deterministic, unless a long run is requested."""
    run_state_machine_as_test(
        lambda: StoreMachine(database),  # type: ignore[arg-type]  # it only calls what it is given
        settings=settings(
            max_examples=EXAMPLES or examples,
            stateful_step_count=STEPS,
            derandomize=not EXAMPLES,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.timeout(0 if EXAMPLES else 120)
def test_sqlite_follows_the_model(on_sqlite: Database) -> None:
    """In every order of steps that was tried."""
    run(on_sqlite, examples=thorough(60, 24))


@pytest.mark.timeout(0 if EXAMPLES else 120)
def test_postgresql_follows_the_model(on_postgresql: Database) -> None:
    """Likewise."""
    run(on_postgresql, examples=thorough(25, 12))
