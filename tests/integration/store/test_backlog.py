"""What could start and what is held, by reason; and the slots that are useful for it, by Python and by the view."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

import pytest
from sqlalchemy import Connection

from api_models.verdict import GateScope, VerdictKind
from tests.factories import MODEL, OTHER_MODEL, a_gate, add_attempt, add_batch, add_gate, add_job
from tests.integration.store.claimed_jobs import D, Q, R, S
from worker.maintenance.scaling import ScalingReport
from worker.store import account, batches, lane_takes, scaling
from worker.store.account import PaceState
from worker.store.database import Database
from worker.store.money import budgets
from worker.store.queries import metrics
from worker.store.queries.metrics import QueueSnapshot
from worker.store.tables.base import NO_LANE

WINDOW: Final = timedelta(minutes=5)
JOBS: Final = 4
AGE: Final = timedelta(seconds=90)


def fill(connection: Connection, batch: UUID, now: datetime) -> None:
    """Four queued jobs of a batch, and one running."""
    del now
    for _ in range(JOBS):
        add_job(connection, batch_id=batch)
    add_job(connection, batch_id=batch, status=R)


def snapshot(database: Database) -> QueueSnapshot:
    with database.read() as connection:
        return metrics.snapshot(connection, now=database.now(connection), window=WINDOW)


def close(scope: GateScope, model: str | None = None) -> Callable[[Connection, UUID, datetime], object]:
    return lambda connection, _, now: add_gate(connection, a_gate(scope=scope, model=model, since=now))


def refuse_takes(connection: Connection, batch: UUID, now: datetime) -> None:
    count = lane_takes.TakeCount(batch, "default", MODEL, refused=20, held_at=now)
    lane_takes.save(connection, [count])


def end_pause_later(connection: Connection, _: UUID, now: datetime) -> None:
    account.save_pace(connection, replace(PaceState(), rpm=600.0, paused_until=now + timedelta(minutes=1)))


HOLDS: Final[dict[str, tuple[str, Callable[[Connection, UUID, datetime], object]]]] = {
    "an empty account": ("account", close(GateScope.ACCOUNT)),
    "a broken model": ("model", close(GateScope.MODEL, MODEL)),
    "a full store": ("storage", close(GateScope.STORAGE)),
    "a paused batch": ("paused", lambda connection, batch, now: batches.pause(connection, batch, now=now)),
    "refused takes": ("takes", refuse_takes),
    "a batch's budget": (
        "budget",
        lambda connection, batch, _: budgets.limit_batch(connection, batch, Decimal("0.001")),
    ),
    "a tenant's budget": ("budget", lambda connection, _, __: budgets.limit_month(connection, "default", Decimal(0))),
    "a pause of the API": ("pace", end_pause_later),
}


@pytest.mark.parametrize("name", HOLDS)
def test_held_jobs_are_counted_by_reason_and_want_no_slots(on_postgresql: Database, name: str) -> None:
    """Idle workers must not be bought for them; a pause of the pace ends soon, and keeps its slots."""
    reason, hold = HOLDS[name]
    with on_postgresql.begin() as connection:
        now = on_postgresql.now(connection)
        fill(connection, batch := add_batch(connection), now)
    with on_postgresql.begin() as connection:
        hold(connection, batch, now)
    ScalingReport(on_postgresql).run_once()
    found = snapshot(on_postgresql)
    assert (found.backlog.startable, dict(found.backlog.held)) == (0, {reason: JOBS})
    assert found.useful_slots == (JOBS + 1 if reason == "pace" else 1)
    assert (found.queue_age_seconds > 0) == (reason == "pace")
    assert view(on_postgresql) == found.useful_slots


def view(database: Database) -> int:
    with database.read() as connection:
        return scaling.useful_slots(connection)


@pytest.mark.parametrize("reason", ["paused", "model"])
def test_sqlite_counts_alike(on_sqlite: Database, reason: str) -> None:
    """Without tallies."""
    hold = next(how for found, how in HOLDS.values() if found == reason)
    with on_sqlite.begin() as connection:
        now = on_sqlite.now(connection)
        fill(connection, batch := add_batch(connection), now)
        add_job(connection, model=OTHER_MODEL)
        hold(connection, batch, now)
    found = snapshot(on_sqlite)
    assert (found.backlog.startable, dict(found.backlog.held)) == (1, {reason: JOBS})


@pytest.mark.parametrize(("rpm", "slots"), [(None, 10), (60.0, 7), (30.0, 4), (6_000.0, 10)])
def test_useful_slots_follow_pace_and_latency(on_postgresql: Database, rpm: float | None, slots: int) -> None:
    """At 60 calls a minute of 5.5 s, seven slots with their headroom are busy, however many jobs there are."""
    with on_postgresql.begin() as connection:
        now = on_postgresql.now(connection)
        for _ in range(8):
            add_job(connection)
        add_job(connection, status=D)
        add_job(connection, status=S, not_before=now - timedelta(seconds=1))
        calls = [timedelta(seconds=5.5)] * 19 + [timedelta(minutes=9)]
        for length in calls:
            add_attempt(connection, verdict=VerdictKind.SUCCESS, started_at=now - length, finished_at=now)
        add_attempt(connection, verdict=VerdictKind.CACHED, started_at=now - 9 * WINDOW, finished_at=now)
        account.save_pace(connection, replace(PaceState(), rpm=rpm))
    assert view(on_postgresql) == slots
    with on_postgresql.begin() as connection:  # as a leader does
        connection.exec_driver_sql("UPDATE jobs SET status = 'queued', not_before = NULL WHERE status = 'scheduled'")
    assert snapshot(on_postgresql).useful_slots == view(on_postgresql) == slots


def test_parts_of_documents_want_slots(on_postgresql: Database) -> None:
    """Tallies count none of them."""
    with on_postgresql.begin() as connection:
        now = on_postgresql.now(connection)
        parent = add_job(connection, status=S, parts=3, not_before=now + timedelta(days=9))
        for part in range(1, 4):
            add_job(connection, parent=parent, part=part, chosen=True, status=Q)
    assert snapshot(on_postgresql).backlog.startable == view(on_postgresql) == 3


def test_nothing_to_do_wants_no_slots(database: Database) -> None:
    """Also of an installation that never had a worker."""
    found = snapshot(database)
    assert (found.useful_slots, found.backlog.startable, found.queue_age_seconds) == (0, 0, 0.0)
    if not database.is_sqlite:
        assert view(database) == 0


def test_the_oldest_startable_job_is_no_held_one(database: Database) -> None:
    """A job that may not start counts for no age."""
    with database.begin() as connection:
        now = database.now(connection)
        add_job(connection, id=id_of(now - 5 * AGE), model=OTHER_MODEL)
        add_job(connection, id=id_of(now - AGE), lane=NO_LANE)
        add_gate(connection, a_gate(scope=GateScope.MODEL, model=OTHER_MODEL))
    assert AGE.total_seconds() <= snapshot(database).queue_age_seconds < 2 * AGE.total_seconds()


def id_of(at: datetime) -> UUID:
    """An id that was made then."""
    return UUID(int=(int(at.timestamp() * 1_000) << 80) | (7 << 76) | (2 << 62))
