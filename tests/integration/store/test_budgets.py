"""Budgets, the counters beside them, events and the balance, as they are kept on both databases."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

import pytest
from sqlalchemy import func, select
from uuid_utils.compat import uuid7

from api_models.registry import MODELS
from api_models.status import JobStatus
from api_models.verdict import GateScope, VerdictKind
from tests.factories import (
    MODEL,
    NOW,
    OTHER_MODEL,
    a_settlement,
    add_attempt,
    add_batch,
    add_job,
    add_worker,
)
from worker.store import account
from worker.store.database import Database
from worker.store.money import balances, budgets, ceilings, charges
from worker.store.money.budgets import Budget
from worker.store.money.ceilings import Ceiling
from worker.store.outbox import events
from worker.store.queries import attempts, holds
from worker.store.tables.account import TenantMonth
from worker.store.tables.jobs import Attempt, Batch
from worker.store.transitions import actions, claims, dispatches, purges, rescues, settlement

PRICE: Final = MODELS[MODEL].price
SECOND: Final = timedelta(seconds=1)
LAST_OF_MONTH: Final = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)


def spent_of(database: Database, batch: UUID) -> Decimal:
    """A batch's counter."""
    with database.read() as connection:
        return connection.execute(select(Batch.spent).where(Batch.id == batch)).scalar_one()


def months(database: Database) -> dict[tuple[str, str], Decimal]:
    """All tenants' counters."""
    with database.read() as connection:
        rows = connection.execute(select(TenantMonth.tenant, TenantMonth.month, TenantMonth.spent))
        return {(row.tenant, row.month): row.spent for row in rows}


def read_news(database: Database) -> int:
    """Read all there is, as a dispatcher does."""
    with database.begin() as connection:
        return len(attempts.take_news(connection))


def standing(database: Database, now: datetime = NOW) -> list[Budget]:
    """Every budget."""
    with database.read() as connection:
        return budgets.standings(connection, now=now)


def test_what_is_read_is_charged_once(database: Database) -> None:
    """To its batch and to its tenant's month of UTC; read again, nothing is added."""
    with database.begin() as connection:
        batch, other = add_batch(connection), add_batch(connection)
        for cost in ("0.0067", "0.000000000001", "0"):
            add_attempt(connection, batch_id=batch, cost=Decimal(cost))
        add_attempt(connection, batch_id=other, cost=Decimal("0.5"), tenant="ann")
        add_attempt(connection, cost=Decimal("0.25"), finished_at=LAST_OF_MONTH)
        add_attempt(connection, cost=Decimal("0.125"), finished_at=LAST_OF_MONTH + SECOND)
    assert [read_news(database), read_news(database)] == [6, 0]
    assert spent_of(database, batch) == Decimal("0.006700000001")
    assert spent_of(database, other) == Decimal("0.5")
    assert months(database) == {
        ("default", "2026-11"): Decimal("0.256700000001"),
        ("default", "2026-12"): Decimal("0.125"),
        ("ann", "2026-11"): Decimal("0.5"),
    }


def test_a_reading_that_is_rolled_back_charges_nothing(database: Database) -> None:
    """The next leader reads the same rows, and charges them."""
    with database.begin() as connection:
        batch = add_batch(connection)
        add_attempt(connection, batch_id=batch)

    def read_and_die() -> None:
        with database.begin() as connection:
            assert attempts.take_news(connection)
            raise KeyError

    with pytest.raises(KeyError):
        read_and_die()
    assert spent_of(database, batch) == 0
    assert read_news(database) == 1
    assert spent_of(database, batch) == PRICE


def test_a_late_cost_is_charged_though_its_row_was_read_before(database: Database) -> None:
    """The row of a lost attempt is read at no cost; its worker comes late with a paid take, and is read again."""
    with database.begin() as connection:
        batch, worker = add_batch(connection), add_worker(connection)
        job = add_job(connection, batch_id=batch)
        dispatches.dispatch(connection, [job], worker_id=None, now=NOW)
        claim = claims.claim(connection, job, 0, worker_id=worker, now=NOW)
        assert claim is not None
        rescues.rescue(connection, [worker], max_attempts=5, now=NOW + SECOND)
    assert read_news(database) == 1
    assert spent_of(database, batch) == 0
    with database.begin() as connection:
        assert not settlement.settle(connection, claim, a_settlement(cost=PRICE), now=NOW + 2 * SECOND)
    assert [read_news(database), read_news(database)] == [1, 0]
    assert spent_of(database, batch) == PRICE
    assert months(database) == {("default", "2026-11"): PRICE}


def test_counters_are_the_ledgers_sums_for_every_reader(database: Database) -> None:
    """Several readers at once, as over a change of leader, beside workers that go on writing."""
    with database.begin() as connection:
        batch = add_batch(connection)
    rows, writers, readers = 60, 3, 3
    over = threading.Event()

    def write(number: int) -> None:
        for step in range(rows):
            with database.begin() as connection:
                add_attempt(connection, batch_id=batch, cost=Decimal(number * rows + step + 1) / 10**6)

    def read(_: int) -> int:
        found = 0
        while True:
            last_look = over.is_set()
            found += read_news(database)
            if last_look:
                return found

    with ThreadPoolExecutor(writers + readers) as executor:
        reading = [executor.submit(read, number) for number in range(readers)]
        for writing in [executor.submit(write, number) for number in range(writers)]:
            writing.result()
        over.set()
        assert sum(each.result() for each in reading) == rows * writers
    with database.read() as connection:
        ledger = connection.execute(select(func.sum(Attempt.cost, type_=Attempt.cost.type))).scalar_one()
    assert spent_of(database, batch) == ledger == sum(months(database).values())


def test_a_month_begins_with_what_its_ledger_holds(database: Database) -> None:
    """Rows that were read before months were counted are in it."""
    with database.begin() as connection:
        for finished_at in (NOW, LAST_OF_MONTH, LAST_OF_MONTH + SECOND):
            add_attempt(connection, noted=True, finished_at=finished_at)
        add_attempt(connection)
    read_news(database)
    assert months(database) == {("default", "2026-11"): 3 * PRICE}


def test_a_budget_is_set_raised_and_lifted(database: Database) -> None:
    """Of a batch and of a tenant's month; a batch that isn't there says so."""
    with database.begin() as connection:
        batch = add_batch(connection)
        add_job(connection, batch_id=batch)
        assert budgets.limit_batch(connection, batch, Decimal(1))
        assert not budgets.limit_batch(connection, uuid7(), Decimal(1))
        assert budgets.monthly(connection, "default") is None
        for amount in (Decimal(5), Decimal(50)):
            budgets.limit_month(connection, "default", amount)
        assert budgets.monthly(connection, "default") == Decimal(50)
    assert [(one.batch_id, one.month, one.limit) for one in standing(database)] == [
        (batch, None, Decimal(1)),
        (None, "2026-11", Decimal(50)),
    ]
    with database.begin() as connection:
        budgets.limit_batch(connection, batch, None)
        budgets.limit_month(connection, "default", None)
        assert budgets.monthly(connection, "default") is None
    assert standing(database) == []


def test_a_standing_has_spent_reserved_and_wanted(database: Database) -> None:
    """What is recorded counts, read or not; calls in flight by what they may cost; and so does the next that waits."""
    with database.begin() as connection:
        batch = add_batch(connection, max_cost=Decimal("0.05"), name="book.csv")
        add_attempt(connection, batch_id=batch, noted=False)
        worker = add_worker(connection)
        for status in (JobStatus.DISPATCHED, JobStatus.RUNNING, JobStatus.QUEUED, JobStatus.SCHEDULED):
            add_job(connection, batch_id=batch, status=status, worker_id=worker)
        add_job(connection, status=JobStatus.RUNNING, worker_id=worker)
    (budget,) = standing(database)
    assert budget == Budget(
        "default", batch, None, "book.csv", Decimal("0.05"), spent=PRICE, reserved=2 * PRICE, wanted=PRICE
    )
    assert not budget.holds
    read_news(database)
    assert standing(database) == [budget]


def test_budgets_that_no_longer_matter_are_left_out(database: Database) -> None:
    """A finished batch needs no budget, and one without jobs neither."""
    with database.begin() as connection:
        over, empty = (add_batch(connection, max_cost=Decimal(1)) for _ in range(2))
        add_job(connection, batch_id=over, status=JobStatus.SUCCEEDED)
        going_on = add_batch(connection, max_cost=Decimal(1))
        add_job(connection, batch_id=going_on, status=JobStatus.RUNNING, worker_id=uuid7())
    assert [budget.batch_id for budget in standing(database)] == [going_on]
    assert empty != over


def test_a_budget_that_holds_is_among_the_holds(database: Database) -> None:
    """With its figures and the way out; a month says until when it holds."""
    with database.begin() as connection:
        add_worker(connection)
        batch = add_batch(connection, max_cost=Decimal("0.01"), spent=Decimal("0.0067"), name="book.csv")
        add_job(connection, batch_id=batch)
        plenty = add_batch(connection, max_cost=Decimal(1))
        add_job(connection, batch_id=plenty)
        budgets.limit_month(connection, "default", Decimal("0.001"))
        of_batch, of_month = holds.holds(connection, now=NOW)
    assert (of_batch.name, of_batch.code, of_batch.until) == (f"budget:{batch}", "budget", None)
    assert of_batch.message == (
        f"book.csv: $0.0067 of $0.01 is spent and the next one $0.0067;"
        f" raise it with `ttsq budget batch {batch} DOLLARS`"
    )
    assert (of_month.name, of_month.until) == ("budget:default", datetime(2026, 12, 1, tzinfo=UTC))
    assert "ttsq budget set default DOLLARS --monthly" in of_month.message


def test_ceilings_are_of_the_latest_calls_with_a_cost(database: Database) -> None:
    """The dearest, and the longest text in UTF-8; copies and failures tell nothing."""
    with database.begin() as connection:
        for text, cost, verdict in (
            ("short", "0.02", VerdictKind.SUCCESS),
            ("größer", "0.01", VerdictKind.BAD_TAKE),
            ("far longer than the others", "0", VerdictKind.CACHED),
            ("far longer than the others", "9", VerdictKind.RETRY),
        ):
            job = add_job(connection, text=text)
            add_attempt(connection, job_id=job, cost=Decimal(cost), verdict=verdict)
        add_attempt(connection, model=OTHER_MODEL, cost=Decimal(7), text_bytes=50)
        assert ceilings.load(connection) == {
            MODEL: Ceiling(Decimal("0.02"), len("größer".encode())),
            OTHER_MODEL: Ceiling(Decimal(7), 50),
        }


def test_texts_that_were_removed_are_not_taken_for_short_ones(database: Database) -> None:
    """The ledger knows how long they were. Of an older worker's rows it doesn't: then no proportion is taken."""
    long = 600
    with database.begin() as connection:
        job = add_job(connection, status=JobStatus.SUCCEEDED, text="x" * long)
        add_attempt(connection, job_id=job, text_bytes=long)
        blank = purges.Due(job, "default", None, None, NOW)
        purges.ask(connection, actions.these([job]), now=NOW)
        purges.blank(connection, [blank], now=NOW)
        known = ceilings.load(connection)
        assert ceilings.at_most(known, MODEL, 200) == PRICE
        assert ceilings.at_most(known, MODEL, 2 * long) == 2 * PRICE
        add_attempt(connection, job_id=add_job(connection, status=JobStatus.SUCCEEDED, purged_at=NOW))
        add_attempt(connection, job_id=add_job(connection, status=JobStatus.SUCCEEDED, text="short"))
        assert ceilings.at_most(ceilings.load(connection), MODEL, 4_000) == PRICE


@pytest.mark.parametrize(
    ("month", "ends"), [("2026-11", datetime(2026, 12, 1, tzinfo=UTC)), ("2026-12", datetime(2027, 1, 1, tzinfo=UTC))]
)
def test_a_month_ends_where_the_next_one_begins(month: str, ends: datetime) -> None:
    """At the turn of the year, too."""
    begins, until = charges.span(month)
    assert (charges.month_of(begins), until) == (month, ends)
    assert charges.month_of(until - timedelta(microseconds=1)) == month


def test_events_are_read_in_order_and_by_type(database: Database) -> None:
    """After a given event, with a limit."""
    with database.begin() as connection:
        for number in range(5):
            events.record(connection, f"kind.{number % 2}", f"subject {number}", {"number": number}, now=NOW)
        events.record(connection, "kind.9", "ann's", {"cost": "0.0067"}, tenant="ann", now=NOW + SECOND)
        found = events.after(connection, 0, most=4)
        rest = events.after(connection, found[-1].id, most=4)
        odd = events.after(connection, 0, most=9, types=["kind.1"])
    assert [event.data["number"] for event in found] == [0, 1, 2, 3]
    assert [(event.subject, event.tenant) for event in rest] == [("subject 4", None), ("ann's", "ann")]
    assert (rest[-1].type, rest[-1].at, rest[-1].data) == ("kind.9", NOW + SECOND, {"cost": "0.0067"})
    assert [event.data["number"] for event in odd] == [1, 3]


def test_a_reader_of_events_passes_none_by(database: Database) -> None:
    """However many write at once, what is read after the last id is every event once."""
    writers, each = 4, 25
    over = threading.Event()

    def write(writer: int) -> None:
        for number in range(each):
            with database.begin() as connection:
                events.record(connection, "test", f"{writer}/{number}", {}, now=NOW)

    def read() -> list[str]:
        seen: list[str] = []
        last = 0
        while True:
            last_look = over.is_set()
            with database.read() as connection:
                found = events.after(connection, last, most=7)
            seen += [event.subject for event in found]
            last = found[-1].id if found else last
            if last_look and not found:
                return seen

    with ThreadPoolExecutor(writers + 1) as executor:
        reading = executor.submit(read)
        for writing in [executor.submit(write, number) for number in range(writers)]:
            writing.result()
        over.set()
        seen = reading.result()
    assert sorted(seen) == sorted(f"{writer}/{number}" for writer in range(writers) for number in range(each))


def test_a_gates_closing_and_opening_are_events_once_each(database: Database) -> None:
    """However a gate closes and opens; a rolled back change writes no event."""
    with database.begin() as connection:
        for _ in range(3):
            account.close_gate(
                connection, GateScope.STORAGE, None, code="no_space", message="full", next_probe_at=NOW, now=NOW
            )
        account.hold_gate(connection, GateScope.STORAGE, None, message="by hand", now=NOW + SECOND)
        for _ in range(3):
            account.open_gate(connection, "storage", now=NOW + 2 * SECOND)
        account.hold_gate(connection, GateScope.MODEL, MODEL, message="by hand", now=NOW + 3 * SECOND)

    def close_and_fail() -> None:
        with database.begin() as connection:
            account.open_gate(connection, f"model:{MODEL}")
            raise KeyError

    with pytest.raises(KeyError):
        close_and_fail()
    with database.read() as connection:
        first, second, third = events.after(connection, 0, most=9)
    assert (first.type, first.subject, first.at) == ("account.held", "storage", NOW)
    assert first.data == {
        "gate": "storage",
        "scope": "storage",
        "model": None,
        "code": "no_space",
        "message": "full",
        "since": NOW.isoformat(),
    }
    assert (second.type, second.at, second.data["code"]) == ("account.released", NOW + 2 * SECOND, "operator")
    assert (third.type, third.data["model"]) == ("account.held", MODEL)


def test_the_latest_balance_is_kept(database: Database) -> None:
    """An answer that comes late changes nothing."""
    with database.begin() as connection:
        assert balances.last(connection) is None
        balances.note(connection, Decimal("9.5"), NOW)
        balances.note(connection, Decimal("9.9"), NOW - SECOND)
        assert balances.last(connection) == balances.Balance(Decimal("9.5"), NOW, low=False)
        assert balances.mark(connection, low=True)
        assert not balances.mark(connection, low=True)
        balances.note(connection, Decimal("9.4"), NOW + SECOND)
        assert balances.last(connection) == balances.Balance(Decimal("9.4"), NOW + SECOND, low=True)
