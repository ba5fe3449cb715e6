"""Everybody at once on PostgreSQL: dispatchers, workers, rescues and people who cancel and retry whole batches.

No transaction ever waits for another in a circle, and whatever they do to one another, the books stay right.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, func, select, text
from uuid_utils.compat import uuid7

from api_models.status import JobStatus
from tests.factories import NOW, a_settlement, add_batch, add_jobs, job_row
from worker.store.database import Database
from worker.store.money import charges
from worker.store.queries import attempts, jobs
from worker.store.tables.jobs import Attempt, Job
from worker.store.transitions import (
    actions,
    dispatches,
    rescues,
)
from worker.store.transitions import (
    claims as job_claims,
)
from worker.store.transitions import (
    settlement as job_settlement,
)
from worker.store.transitions.claims import Claim
from worker.store.transitions.dispatches import Waiting
from worker.store.transitions.settlement import Settlement

JOBS: Final = 240
BATCHES: Final = 3
WORKERS: Final = tuple(uuid7() for _ in range(5))
ROUNDS: Final = 60
GROUP: Final = 15
ENDINGS: Final = (JobStatus.QUEUED, JobStatus.QUEUED, JobStatus.SCHEDULED, JobStatus.FAILED)
AGAIN: Final = (JobStatus.FAILED, JobStatus.CANCELLED)


@dataclass(slots=True)
class Post:
    """The broker: messages in any order, some of them twice."""

    _messages: list[Waiting] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, messages: list[Waiting]) -> None:
        """Put messages in."""
        with self._lock:
            self._messages += messages

    def take(self, rng: random.Random) -> list[tuple[UUID, int]]:
        """Some messages; the first may come again."""
        with self._lock:
            rng.shuffle(self._messages)
            taken, self._messages = self._messages[:GROUP], self._messages[GROUP:]
            self._messages += taken[:1] if rng.random() < 0.5 else []
        return [(message.job_id, message.attempt) for message in taken]


@dataclass(frozen=True, slots=True)
class Fair:
    """One database, and what all do to it."""

    database: Database
    batches: tuple[UUID, ...]
    post: Post = field(default_factory=Post)

    def dispatch(self, rng: random.Random) -> None:
        """A dispatcher's tick; the lease, which would let only one through, is left out."""
        with self.database.begin() as connection:
            now = self.database.now(connection)
            dispatches.promote(connection, now=now)
            dispatches.expire(connection, now=now)
            dispatches.give_up_messages(connection, sent_before=now - timedelta(milliseconds=50))
            if rng.random() < 0.3:
                rescues.rescue(connection, rng.sample(WORKERS, 2), max_attempts=99, now=now)
            attempts.take_news(connection)
            heads = [head for lane in dispatches.lanes(connection, most=9) for head in self._heads(connection, lane)]
            rng.shuffle(heads)
            sent = dispatches.dispatch(connection, [head.job_id for head in heads], worker_id=None, now=now)
        self.post.send(sent)

    def _heads(self, connection: Connection, lane: dispatches.Lane) -> list[Waiting]:
        return dispatches.heads(connection, lane, most=20)

    def work(self, worker: UUID, rng: random.Random) -> None:
        """Claim a group, and settle it in any order."""
        turns = self.post.take(rng)
        if not turns:
            return
        with self.database.at_once() as connection:
            now = self.database.now(connection)
            claims = [claim for claim in job_claims.claim_all(connection, turns, worker_id=worker, now=now) if claim]
        rng.shuffle(claims)
        ended = [(claim, a_settlement(rng.choice(ENDINGS), cost=Decimal("0.0067"))) for claim in claims]
        if ended and not self._settle_together(ended):
            for claim, settlement in ended:
                with self.database.begin() as connection:
                    job_settlement.settle(connection, claim, settlement, now=NOW)

    def _settle_together(self, ended: list[tuple[Claim, Settlement]]) -> bool:
        with self.database.begin() as connection:
            won = job_settlement.settle_all_at_once(connection, ended, now=NOW)
            if won is None:
                connection.rollback()
        return won is not None

    def ask(self, rng: random.Random) -> None:
        """Cancel or retry a batch."""
        which = jobs.of_batch(rng.choice(self.batches))
        with self.database.begin() as connection:
            if rng.random() < 0.3:
                actions.cancel(connection, which, now=NOW)
            else:
                actions.retry(connection, which, states=AGAIN)


def test_no_deadlock_and_the_ledger_stays_consistent(on_postgresql: Database) -> None:
    """However they meet: no deadlock, each attempt in the ledger once, and a job's cost is what its attempts cost."""
    with on_postgresql.begin() as connection:
        # A circle is found after so long; by default it would be a second, and few would be seen.
        connection.execute(text(f"ALTER DATABASE {on_postgresql.url.database} SET deadlock_timeout TO '5ms'"))
    on_postgresql.close()
    with on_postgresql.begin() as connection:
        batches = tuple(add_batch(connection) for _ in range(BATCHES))
        rows = [job_row(batch_id=batches[number % BATCHES], notify=number % 2 == 0) for number in range(JOBS)]
        add_jobs(connection, *rows)
        # Without the lease, two dispatchers would begin the month's counter at once.
        charges.begin(connection, "default", charges.month_of(NOW))
    fair = Fair(on_postgresql, batches)
    over = threading.Event()

    def play(part: Callable[[random.Random], None], seed: int) -> None:
        rng = random.Random(seed)
        for _ in range(ROUNDS):
            part(rng)

    def work(worker: UUID, seed: int) -> None:
        rng = random.Random(seed)
        while not over.wait(0.001):
            fair.work(worker, rng)

    with ThreadPoolExecutor(len(WORKERS) + 4) as executor:
        working = [executor.submit(work, worker, seed) for seed, worker in enumerate(WORKERS)]
        asking_for = [fair.dispatch, fair.dispatch, fair.ask, fair.ask]
        try:
            for part in [executor.submit(play, part, seed) for seed, part in enumerate(asking_for)]:
                part.result()
        finally:
            over.set()
        for worker in working:
            worker.result()
    with on_postgresql.read() as connection:
        owed = select(Attempt.job_id, func.sum(Attempt.cost).label("cost")).group_by(Attempt.job_id).subquery()
        wrong = select(func.count()).select_from(Job).outerjoin(owed, owed.c.job_id == Job.id)
        assert connection.execute(wrong.where(Job.cost != func.coalesce(owed.c.cost, 0))).scalar_one() == 0
        assert connection.execute(select(func.sum(Attempt.cost))).scalar_one() > 0
        assert jobs.counts(connection, jobs.all_jobs()).total == JOBS
