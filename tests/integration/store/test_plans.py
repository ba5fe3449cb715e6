"""The statements of every tick find their rows by a partial index: thousands of jobs that are over cost them nothing.

The plan that is looked at is that of the statement as it is sent, with its own parameters. How much is touched where
there are many more jobs, `test_plans_at_scale` says.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Final
from uuid import UUID

import pytest
from sqlalchemy import Connection, insert, text
from uuid_utils.compat import uuid7

from api_models.status import TERMINAL, JobStatus
from tests.factories import NOW, OTHER_MODEL, add_jobs, attempt_row, job_row
from tests.integration.plans import plans
from worker.store.access import api_keys
from worker.store.database import Database
from worker.store.money import charges, in_flight, limits
from worker.store.queries import attempts, jobs
from worker.store.tables.account import TenantMonth
from worker.store.tables.jobs import Attempt
from worker.store.transitions import claims, dispatches, purges, rescues

OVER: Final = 4_000
"""Jobs that are over, each with its attempt; the few others are those that statements look for."""
FEW: Final = 12
HOLDER: Final = uuid7()

TABLE_SCAN: Final = re.compile(r"Seq Scan on (jobs|attempts)|SCAN (jobs|attempts)(?! USING)")
WHOLE_INDEX: Final = re.compile(
    r"ix_jobs_batch_status|ix_attempts_finished_at|SCAN \w+ USING (COVERING )?INDEX sqlite_"
)
"""Indexes that hold a row for every job or attempt; no hot statement has a value to look up in them."""


def fill(connection: Connection) -> None:
    """A long history and a few jobs of every other state."""
    ended = sorted(TERMINAL)
    add_jobs(connection, *(job_row(status=ended[number % 4], deadline=NOW) for number in range(OVER)))
    live = sorted(set(JobStatus) - TERMINAL)
    columns = {"worker_id": HOLDER, "deadline": NOW + timedelta(days=1), "not_before": NOW, "attempt": 0}
    add_jobs(connection, *(job_row(status=live[number % 4], **columns) for number in range(4 * FEW)))
    news = [attempt_row(noted=number >= FEW) for number in range(OVER)]
    connection.execute(insert(Attempt), news)
    connection.execute(insert(TenantMonth).values(tenant="default", month=charges.month_of(NOW), spent=0))


@pytest.fixture
def busy(database: Database) -> Database:
    """A database with a history. PostgreSQL takes its statistics by itself; SQLite, as in production, has none."""
    with database.begin() as connection:
        fill(connection)
    if not database.is_sqlite:
        with database.begin() as connection:
            connection.execute(text("ANALYZE"))
    return database


def claim(connection: Connection) -> None:
    """Take a job, and look whether its text was bought."""
    claims.claim(connection, uuid7(), 0, worker_id=HOLDER, now=NOW)


def limited(connection: Connection) -> None:
    """Look up what a batch and a tenant may still spend."""
    limits.limits(connection, [LANE.lane], [LANE.tenant], now=NOW)


def limited_keys(connection: Connection) -> None:
    """Look up what the jobs of a key may still cost."""
    limits.of_keys(connection, [HOLDER])


LANE: Final = dispatches.Lane(0, "default", UUID(int=0), OTHER_MODEL)

HOT: Final[dict[str, tuple[Callable[[Connection], object], set[str]]]] = {
    "promote": (lambda connection: dispatches.promote(connection, now=NOW), {"ix_jobs_due"}),
    "expire": (lambda connection: dispatches.expire(connection, now=NOW), {"ix_jobs_deadline", "ix_jobs_in_flight"}),
    "lanes": (lambda connection: dispatches.lanes(connection, most=9), {"ix_jobs_queued"}),
    "heads": (lambda connection: dispatches.heads(connection, LANE, most=9), {"ix_jobs_queued"}),
    "in_flight": (
        lambda connection: in_flight.in_flight(connection, [LANE.lane], [LANE.tenant]),
        {"ix_jobs_in_flight", "ix_jobs_submitted"},
    ),
    "limits": (limited, {"ix_attempts_unnoted", "ix_attempts_unclear"}),
    "limits of keys": (limited_keys, {"ix_attempts_unnoted", "ix_attempts_unclear"}),
    "what a key has used": (lambda connection: api_keys.used(connection, HOLDER), {"ix_jobs_key_open"}),
    "loads": (lambda connection: in_flight.loads(connection, [HOLDER]), {"ix_jobs_bought"}),
    "in_flight_by_worker": (jobs.in_flight_by_worker, {"ix_jobs_in_flight"}),
    "give_up_messages": (
        lambda connection: dispatches.give_up_messages(connection, sent_before=NOW + timedelta(1)),
        {"ix_jobs_in_flight"},
    ),
    "take_back_all": (
        lambda connection: dispatches.take_back_all(connection, worker_id=HOLDER),
        {"ix_jobs_in_flight"},
    ),
    "rescue": (
        lambda connection: rescues.rescue(connection, [HOLDER], max_attempts=9, now=NOW),
        {"ix_jobs_in_flight"},
    ),
    "claim with its twin": (claim, {"ix_jobs_bought"}),
    "date what ended": (lambda connection: purges.date(connection, most=9), {"ix_jobs_to_date"}),
    "due to be removed": (lambda connection: purges.due(connection, most=9, now=NOW), {"ix_jobs_to_purge"}),
    "take_news": (attempts.take_news, {"ix_attempts_unnoted"}),
}


def faults(plan: str, indexes: set[str]) -> list[str]:
    """What is wrong with a plan."""
    found = [match[0] for match in TABLE_SCAN.finditer(plan)] + [match[0] for match in WHOLE_INDEX.finditer(plan)]
    return found + [f"{index} isn't used" for index in sorted(indexes) if index not in plan]


def test_hot_statements_read_no_table_from_end_to_end(busy: Database) -> None:
    """Each uses its partial index, and no step of its plan reads all jobs or the whole ledger."""
    looked_at = {name: (plans(busy, run), indexes) for name, (run, indexes) in HOT.items()}
    wrong = {name: (found, plan) for name, (plan, indexes) in looked_at.items() if (found := faults(plan, indexes))}
    assert not wrong


def test_the_look_at_plans_sees_a_scan(busy: Database) -> None:
    """A query without an index is reported as a scan."""
    plan = plans(busy, lambda connection: connection.execute(text("SELECT id FROM jobs WHERE message = 'x'")))
    assert len(faults(plan, {"ix_jobs_due"})) == 2
