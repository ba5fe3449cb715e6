"""Many jobs, half of them over: what is asked for every tick and every job still touches a handful of pages.

PostgreSQL says which pages a statement touched, SQLite how many steps it took; both are bounded here by numbers that no
scan of a table or of an index of this size could keep. The plan must name the index that it was made for. A hundred
thousand jobs tell as much as a million; `PLAN_ROWS=1000000` takes that many.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest
from sqlalchemy import Connection, text

from api_models.status import TERMINAL, JobStatus
from tests.factories import MODEL, NOW, a_claim, a_settlement, ledger
from tests.integration import scale
from tests.integration.plans import plans, statements
from tests.integration.scale import FEW, HOLDER, LATER, SMALL
from worker.store import schedules, workers
from worker.store.database import Database
from worker.store.money import in_flight, limits
from worker.store.outbox import deliveries
from worker.store.queries import attempts, filters, metrics, tenant_pages
from worker.store.queries import jobs as job_queries
from worker.store.queries.backlog import Holds
from worker.store.queries.tenant_pages import PageFilter
from worker.store.transitions import (
    actions,
    billing,
    dispatches,
    followers,
    rescues,
    settlement,
)
from worker.store.transitions import (
    claims as job_claims,
)
from worker.store.transitions.billing import Call
from worker.store.transitions.claims import Claim
from worker.store.transitions.dispatches import Lane

ROWS: Final = int(os.environ.get("PLAN_ROWS", "100000"))
TIMEOUT_SECONDS: Final = 600
NO_HOLDS: Final = Holds({}, (), (), (), is_paced=False)
MAX_PAGES: Final = 400
"""For a statement, beside the share of each row that it changes: its indexes have a few levels each."""
PAGES_PER_CHANGE: Final = 50
MAX_PAGES_WHEN_WORN: Final = 300
DEAD_PER_JOB: Final = 3
"""Versions of its row that a job leaves behind."""
WORN: Final = ("lanes", "heads of the first lane", "in flight", "news")
MAX_STEPS: Final = 10_000
"""Of SQLite's machine, which takes some for every row that it looks at."""
STEPS_PER_CHANGE: Final = 1_000
COUNT_EVERY: Final = 50

LANE: Final = Lane(0, "tenant 1", UUID(int=2), MODEL, limited=False)


@dataclass(frozen=True, slots=True)
class Hot:
    """Something that is asked of the database all the time."""

    run: Callable[[Connection], object]
    indexes: frozenset[str]
    """What serves it on both databases; nothing where it is the primary key."""
    changes: int = 0
    """Rows that it changes."""


def hot(run: Callable[[Connection], object], *indexes: str, changes: int = 0) -> Hot:
    """One of them."""
    return Hot(run, frozenset(indexes), changes)


def a_page(tenant: str, *states: JobStatus) -> Callable[[Connection], object]:
    """A tenant's newest jobs in these states, as the API lists them."""
    return lambda connection: tenant_pages.jobs(connection, PageFilter(tenant, states), before=None, most=50)


def claims() -> list[Claim]:
    """The claims of the jobs that run."""
    return [a_claim(job_id=job, attempt=1, worker_id=HOLDER, batch_id=SMALL) for job in scale.ids(scale.RUNNING)]


def turns() -> list[tuple[UUID, int]]:
    """The messages of the jobs that are dispatched."""
    return [(job, 0) for job in scale.ids(scale.DISPATCHED)]


ENDED: Final = [(claim, a_settlement(JobStatus.QUEUED)) for claim in claims()]
LAST: Final = UUID(int=1_000)
"""Some job that succeeded."""

HOT: Final = {
    "lanes": hot(lambda connection: dispatches.lanes(connection, most=9), "ix_jobs_queued"),
    "the next lanes": hot(lambda connection: dispatches.lanes(connection, most=9, after=LANE), "ix_jobs_queued"),
    "heads": hot(lambda connection: dispatches.heads(connection, LANE, most=50), "ix_jobs_queued"),
    "heads of each lane": hot(
        lambda connection: dispatches.heads_of_each(connection, dispatches.lanes(connection, most=9), most=3),
        "ix_jobs_queued",
    ),
    "heads of the first lane": hot(
        lambda connection: dispatches.heads(connection, *dispatches.lanes(connection, most=1), most=9),
        "ix_jobs_queued",
    ),
    "dispatch": hot(
        lambda connection: dispatches.dispatch(connection, scale.ids(scale.URGENT), worker_id=None, now=NOW),
        changes=FEW,
    ),
    "promote": hot(lambda connection: dispatches.promote(connection, now=LATER), "ix_jobs_due", changes=FEW),
    "expire": hot(
        lambda connection: dispatches.expire(connection, now=LATER),
        "ix_jobs_deadline",
        "ix_jobs_in_flight",
        changes=FEW,
    ),
    "give up messages": hot(
        lambda connection: dispatches.give_up_messages(connection, sent_before=LATER), "ix_jobs_in_flight", changes=FEW
    ),
    "in flight": hot(job_queries.in_flight_by_worker, "ix_jobs_in_flight"),
    "rescue": hot(
        lambda connection: rescues.rescue(connection, [HOLDER], max_attempts=3, now=LATER),
        "ix_jobs_in_flight",
        changes=2 * FEW,
    ),
    "abandoned": hot(lambda connection: rescues.abandoned(connection, started_before=LATER), "ix_jobs_in_flight"),
    "sign off": hot(lambda connection: workers.sign_off(connection, HOLDER, now=NOW), "ix_jobs_in_flight"),
    "running here": hot(lambda connection: job_claims.running_here(connection, HOLDER), "ix_jobs_in_flight"),
    "claim one": hot(
        lambda connection: job_claims.claim(connection, *turns()[0], worker_id=HOLDER, now=NOW),
        "ix_jobs_bought",
        changes=1,
    ),
    "claim many": hot(
        lambda connection: job_claims.claim_all(connection, turns(), worker_id=HOLDER, now=NOW),
        "ix_jobs_bought",
        changes=FEW,
    ),
    "bought": hot(lambda connection: job_claims.bought(connection, [LAST], "0" * 64)),
    "bought elsewhere": hot(lambda connection: job_claims.bought_elsewhere(connection, "0" * 64), "ix_jobs_bought"),
    "with audio": hot(lambda connection: followers.with_audio(connection, [LAST], now=NOW)),
    "resuming": hot(lambda connection: followers.resuming(connection, [LAST])),
    "send for copies": hot(lambda connection: followers.send_for_copies(connection, {LAST: LAST})),
    "owned": hot(lambda connection: job_claims.are_owned(connection, claims())),
    "keep a handle": hot(lambda connection: job_claims.keep(connection, [(claims()[0], "handle")]), changes=1),
    "settle one": hot(lambda connection: settlement.settle_at_once(connection, *ENDED[0], now=NOW), changes=2),
    "settle many": hot(lambda connection: settlement.settle_all_at_once(connection, ENDED, now=NOW), changes=2),
    "settle late": hot(
        lambda connection: settlement.settle(connection, a_claim(job_id=LAST, attempt=9), ENDED[0][1], now=NOW),
        changes=2,
    ),
    "is it charged": hot(lambda connection: billing.is_charged(connection, Call(LAST, "request", 1))),
    "news": hot(attempts.take_news, "ix_attempts_unnoted", changes=FEW),
    "limits": hot(lambda connection: limits.limits(connection, [SMALL], ["tenant 1"], now=NOW), "ix_attempts_unnoted"),
    "bulk in flight": hot(in_flight.bulk, "ix_jobs_in_flight"),
    "calls in flight": hot(
        lambda connection: in_flight.in_flight(connection, [SMALL], ["tenant 1"]), "ix_jobs_in_flight"
    ),
    "is a model under way": hot(
        lambda connection: in_flight.is_under_way(connection, "another", since=NOW), "ix_jobs_in_flight"
    ),
    "who buys what": hot(followers.in_flight, "ix_jobs_in_flight", "ix_jobs_submitted"),
    "who still does": hot(lambda connection: followers.still_buying(connection, scale.ids(scale.RUNNING))),
    "follow": hot(
        lambda connection: followers.follow(connection, dict.fromkeys(scale.ids(scale.URGENT), LAST), now=NOW),
        changes=1,
    ),
    "release followers": hot(lambda connection: followers.release(connection, [LAST]), "ix_jobs_follows"),
    "does anybody follow": hot(followers.has_followers, "ix_jobs_follows"),
    "a batch's counts": hot(lambda connection: job_queries.counts(connection, job_queries.of_batch(SMALL))),
    "cancel": hot(
        lambda connection: actions.cancel(connection, actions.these(scale.ids(scale.URGENT)), now=NOW), changes=FEW
    ),
    "is a delivery or an event due": hot(lambda connection: deliveries.is_anything_due(connection, now=LATER)),
    "address events": hot(lambda connection: deliveries.address(connection, now=NOW), changes=1),
    "jobs by code": hot(
        lambda connection: job_queries.jobs(connection, filters.selection(code="internal_error"), most=50),
        "ix_jobs_code",
    ),
    "a waiting tenant's failed jobs": hot(a_page("tenant 1", JobStatus.FAILED), "ix_jobs_ended_pages"),
    "a waiting tenant's finished jobs": hot(
        a_page("tenant 1", *sorted(TERMINAL)), "ix_jobs_ended_pages", "ix_jobs_pages"
    ),
    "a tenant's failed and succeeded jobs": hot(
        a_page("tenant 0", JobStatus.FAILED, JobStatus.SUCCEEDED), "ix_jobs_ended_pages", "ix_jobs_pages"
    ),
    "a done tenant's queued jobs": hot(a_page("tenant 2", JobStatus.QUEUED), "ix_jobs_pages"),
    "a done tenant's running jobs": hot(a_page("tenant 2", JobStatus.RUNNING), "ix_jobs_in_flight"),
    "a tenant's jobs of every state": hot(a_page("tenant 2", *JobStatus), "ix_jobs_pages", "ix_jobs_in_flight"),
    "events of a quiet tenant": hot(
        lambda connection: tenant_pages.events(connection, "quiet", after=0, most=100),
        "ix_events_tenant",
        "ix_events_account",
    ),
    "the latest events": hot(lambda connection: tenant_pages.all_events(connection, after=ROWS - FEW, most=100)),
    "the age of the queue": hot(
        lambda connection: metrics.startable_lanes(connection, NO_HOLDS, most=20), "ix_jobs_queued"
    ),
    "due schedules": hot(lambda connection: schedules.due(connection, now=LATER, most=100)),
    "open runs": hot(lambda connection: schedules.open_runs(connection, now=LATER, most=100)),
    "workers present": hot(workers.present),
    "a job's ledger": hot(lambda connection: ledger(connection, LAST)),
}


@pytest.fixture
def filled_sqlite(on_sqlite: Database) -> Iterator[Database]:
    """Many jobs on SQLite, without statistics, as in production."""
    scale.fill(on_sqlite, ROWS)
    yield on_sqlite
    on_sqlite.close()
    for ending in ("", "-wal", "-shm"):
        Path(f"{on_sqlite.url.database}{ending}").unlink(missing_ok=True)


def pages(database: Database, work: Hot) -> int:
    """How many pages of tables and indexes the statements of this work touch on PostgreSQL."""
    sent = statements(database, work.run)
    with database.begin() as connection:
        found = 0
        for statement, given in sent:
            explained = connection.exec_driver_sql(
                f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {statement}", given
            )
            plan = explained.scalar_one()[0]["Plan"]
            found += plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
        connection.rollback()
    return found


def steps(database: Database, work: Hot) -> int:
    """How many steps SQLite's machine takes for them, to the nearest few."""
    taken = 0

    def count() -> None:
        nonlocal taken
        taken += COUNT_EVERY

    with database.begin() as connection:
        driver: Any = connection.connection.dbapi_connection
        driver.set_progress_handler(count, COUNT_EVERY)
        work.run(connection)
        driver.set_progress_handler(None, 0)
        connection.rollback()
    return taken


def faults(hot_ones: dict[str, int], database: Database, most: int, a_change: int) -> dict[str, str]:
    """What is wrong: work that takes more than it may, or whose plan doesn't name its index."""
    found: dict[str, str] = {}
    for name, taken in hot_ones.items():
        plan = plans(database, HOT[name].run)
        missing = sorted(index for index in HOT[name].indexes if index not in plan)
        if taken > most + a_change * HOT[name].changes or missing:
            found[name] = f"takes {taken}, uses no {missing}:\n{plan}"
    return found


def wear(database: Database, jobs: int) -> None:
    """Jobs are sent, claimed, settled and read as usual, without a vacuum."""
    done = 0
    while done < jobs:
        with database.begin() as connection:
            job_queries.in_flight_by_worker(connection)
            (lane,) = dispatches.lanes(connection, most=1)
            heads = [head.job_id for head in dispatches.heads(connection, lane, most=90)]
            sent = dispatches.dispatch(connection, heads, worker_id=None, now=NOW)
            turns = [(message.job_id, message.attempt) for message in sent]
            won = filter(None, job_claims.claim_all(connection, turns, worker_id=HOLDER, now=NOW))
            settlement.settle_all_at_once(connection, [(claim, a_settlement()) for claim in won], now=NOW)
            attempts.take_news(connection)
        done += len(sent)


def dead_before_vacuum(database: Database) -> float:
    """How many dead rows of jobs PostgreSQL lets come together before it clears them away."""
    query = text(
        "SELECT option_value FROM pg_class, pg_options_to_table(reloptions)"
        " WHERE relname = 'jobs' AND option_name = 'autovacuum_vacuum_scale_factor'"
    )
    with database.read() as connection:
        share = connection.execute(query).scalar()
    return ROWS * float(share or 0.2)


@pytest.mark.timeout(TIMEOUT_SECONDS)
def test_postgresql_touches_a_handful_of_pages(on_postgresql: Database) -> None:
    """However many jobs wait and are over; and no more of them when as many rows are dead as may be before a vacuum."""
    with on_postgresql.at_once() as connection:
        connection.execute(text("ALTER TABLE jobs SET (autovacuum_enabled = off)"))
        connection.execute(text("ALTER TABLE attempts SET (autovacuum_enabled = off)"))
    scale.fill(on_postgresql, ROWS)
    fresh = {name: pages(on_postgresql, work) for name, work in HOT.items()}
    assert faults(fresh, on_postgresql, MAX_PAGES, PAGES_PER_CHANGE) == {}
    wear(on_postgresql, int(dead_before_vacuum(on_postgresql) / DEAD_PER_JOB))
    worn = {name: pages(on_postgresql, HOT[name]) for name in WORN}
    assert faults(worn, on_postgresql, MAX_PAGES_WHEN_WORN, PAGES_PER_CHANGE) == {}


@pytest.mark.timeout(TIMEOUT_SECONDS)
def test_sqlite_takes_a_handful_of_steps(filled_sqlite: Database) -> None:
    """Likewise, and with no statistics to go by."""
    taken = {name: steps(filled_sqlite, work) for name, work in HOT.items()}
    assert faults(taken, filled_sqlite, MAX_STEPS, STEPS_PER_CHANGE) == {}
