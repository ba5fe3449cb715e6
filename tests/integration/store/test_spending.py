"""The ledger added up on both databases: by time and name, exact to the last digit, with what the cache saved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import Connection

from api_models.spending import By
from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from tests.factories import MODEL, NOW, OTHER_MODEL, add_attempt, add_batch, add_job, ledger
from worker.store.database import Database
from worker.store.money import pricing, spending
from worker.store.money.spending import Filter

EVERYTHING = Filter()
LAST_OF_OCTOBER = datetime(2026, 10, 31, 23, 59, 59, 999_999, tzinfo=UTC)
FIRST_OF_NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC)


def bought(connection: Connection, *, cost: str, sha256: str, fingerprint: str = "f" * 64, **columns: object) -> UUID:
    """A text that was paid for, and its line in the ledger."""
    job = add_job(
        connection, status=JobStatus.SUCCEEDED, fingerprint=fingerprint, sha256=sha256, cost=Decimal(cost), **columns
    )
    add_attempt(connection, job_id=job, cost=Decimal(cost), **columns)
    return job


def copied(connection: Connection, *, sha256: str, fingerprint: str = "f" * 64, **columns: object) -> UUID:
    """A text that was copied from one bought before."""
    job = add_job(
        connection, status=JobStatus.SUCCEEDED, fingerprint=fingerprint, sha256=sha256, cached=True, **columns
    )
    add_attempt(connection, job_id=job, verdict=VerdictKind.CACHED, cost=Decimal(0), **columns)
    return job


def test_an_empty_ledger_adds_up_to_nothing(database: Database) -> None:
    """No lines, and a total of zeros."""
    with database.read() as connection:
        for by in By:
            assert spending.spent(connection, by, EVERYTHING) == []
    assert (spending.total([]).calls, spending.total([]).paid) == (0, Decimal(0))


@pytest.mark.parametrize(("by", "keys"), [(By.DAY, ["2026-10-31", "2026-11-01"]), (By.MONTH, ["2026-10", "2026-11"])])
def test_days_and_months_are_those_of_utc(database: Database, by: By, keys: list[str]) -> None:
    """Whatever the zone of the machine, a microsecond before midnight is the day before."""
    with database.begin() as connection:
        add_attempt(connection, finished_at=LAST_OF_OCTOBER, cost=Decimal("0.0067"))
        add_attempt(connection, finished_at=FIRST_OF_NOVEMBER, cost=Decimal("0.005"))
        found = spending.spent(connection, by, EVERYTHING)
    assert [(line.key, line.paid) for line in found] == list(
        zip(keys, [Decimal("0.0067"), Decimal("0.005")], strict=True)
    )


def test_batches_are_named_and_jobs_without_one_come_last(database: Database) -> None:
    """A batch is known by its id, its name beside it."""
    with database.begin() as connection:
        batch = add_batch(connection, name="letters.csv")
        add_attempt(connection, cost=Decimal("0.01"))
        add_attempt(connection, batch_id=batch, cost=Decimal("0.02"))
        add_attempt(connection, batch_id=batch, cost=Decimal("0.03"))
        found = spending.spent(connection, By.BATCH, EVERYTHING)
    assert [(line.key, line.name, line.calls, line.paid) for line in found] == [
        (str(batch), "letters.csv", 2, Decimal("0.05")),
        (None, None, 1, Decimal("0.01")),
    ]


def test_models_and_tenants_are_counted_separately(database: Database) -> None:
    """Each with its own calls alone."""
    with database.begin() as connection:
        add_attempt(connection, model=MODEL, tenant="north")
        add_attempt(connection, model=OTHER_MODEL, tenant="south")
        add_attempt(connection, model=OTHER_MODEL, tenant="north")
        models = spending.spent(connection, By.MODEL, EVERYTHING)
        tenants = spending.spent(connection, By.TENANT, EVERYTHING)
    assert {line.key: line.calls for line in models} == {MODEL: 1, OTHER_MODEL: 2}
    assert {line.key: line.calls for line in tenants} == {"north": 2, "south": 1}


def test_the_sum_is_exact_to_the_last_digit(database: Database) -> None:
    """Amounts that no float can hold add up, and the total is the sum of the lines."""
    odd = Decimal("0.006700000001")
    with database.begin() as connection:
        for number in range(1, 301):
            add_attempt(connection, number=number, finished_at=NOW + timedelta(days=number % 3), cost=odd)
        found = spending.spent(connection, By.DAY, EVERYTHING)
    assert [line.paid for line in found] == [odd * 100] * 3
    assert spending.total(found).paid == Decimal("2.0100000003")


def test_estimates_and_doubts_are_shown_beside_what_was_paid(database: Database) -> None:
    """Estimated amounts are part of the sum; calls that may have been billed are counted, not guessed at."""
    with database.begin() as connection:
        add_attempt(connection, cost=Decimal("0.0067"), cost_estimated=True)
        add_attempt(connection, cost=Decimal("0.005"))
        add_attempt(connection, verdict=VerdictKind.LOST, cost=Decimal(0), possibly_billed=True)
        (line,) = spending.spent(connection, By.MODEL, EVERYTHING)
    assert (line.calls, line.paid, line.estimated, line.possibly_billed) == (3, Decimal("0.0117"), Decimal("0.0067"), 1)


def test_what_never_asked_the_api_is_no_call(database: Database) -> None:
    """A copy, and a job that its worker gave back; but one given back after a paid answer is a call."""
    nothing, paid = Decimal(0), Decimal("0.0067")
    with database.begin() as connection:
        add_attempt(connection, verdict=VerdictKind.CACHED, cost=nothing)
        add_attempt(connection, verdict=VerdictKind.RELEASED, cost=nothing)
        add_attempt(connection, verdict=VerdictKind.RELEASED, cost=paid)
        add_attempt(connection, verdict=VerdictKind.RETRY, cost=nothing)
        (line,) = spending.spent(connection, By.MODEL, EVERYTHING)
    assert (line.calls, line.copies, line.paid) == (2, 1, paid)


def test_a_copy_saves_what_its_own_source_cost(database: Database) -> None:
    """Of two takes of one text the copied one counts, by its checksum; a copy of a copy saves as much."""
    with database.begin() as connection:
        bought(connection, cost="0.006712345678", sha256="a" * 64)
        bought(connection, cost="0.009", sha256="b" * 64)
        for _ in range(3):
            copied(connection, sha256="a" * 64)
        copied(connection, sha256="b" * 64)
        bought(connection, cost="0.5", sha256="a" * 64, fingerprint="e" * 64)
        (line,) = spending.spent(connection, By.MODEL, EVERYTHING)
    assert (line.copies, line.saved) == (4, 3 * Decimal("0.006712345678") + Decimal("0.009"))


def test_refused_takes_of_the_source_are_not_saved(database: Database) -> None:
    """Only the call whose audio was copied would have been made again."""
    with database.begin() as connection:
        source = bought(connection, cost="0.0067", sha256="a" * 64)
        add_attempt(connection, job_id=source, number=2, verdict=VerdictKind.BAD_TAKE, cost=Decimal("0.0067"))
        copied(connection, sha256="a" * 64)
        (line,) = spending.spent(connection, By.MODEL, EVERYTHING)
        assert len(ledger(connection, source)) == 2
    assert (line.paid, line.saved) == (Decimal("0.0134"), Decimal("0.0067"))


def test_savings_belong_to_the_copy_and_not_to_the_source(database: Database) -> None:
    """The batch, and the day, that needed to buy nothing."""
    with database.begin() as connection:
        first, second = add_batch(connection, name="a"), add_batch(connection, name="b")
        bought(connection, cost="0.0067", sha256="a" * 64, batch_id=first)
        copied(connection, sha256="a" * 64, batch_id=second)
        found = {line.name: line.saved for line in spending.spent(connection, By.BATCH, EVERYTHING)}
    assert found == {"a": Decimal(0), "b": Decimal("0.0067")}


def test_the_ledger_can_be_narrowed(database: Database) -> None:
    """By tenant and by time, its end left out; savings are narrowed alike."""
    with database.begin() as connection:
        bought(connection, cost="0.01", sha256="a" * 64, tenant="north")
        copied(connection, sha256="a" * 64, tenant="south")
        add_attempt(connection, finished_at=NOW, cost=Decimal("0.02"))
        add_attempt(connection, finished_at=NOW + timedelta(days=1), cost=Decimal("0.04"))
        south = spending.total(spending.spent(connection, By.DAY, Filter(tenant="south")))
        north = spending.total(spending.spent(connection, By.DAY, Filter(tenant="north")))
        early = spending.total(
            spending.spent(connection, By.DAY, Filter(until=NOW + timedelta(days=1), tenant="default"))
        )
        late = spending.total(spending.spent(connection, By.DAY, Filter(since=NOW + timedelta(days=1))))
    assert (south.paid, south.saved) == (Decimal(0), Decimal("0.01"))
    assert (north.paid, north.saved) == (Decimal("0.01"), Decimal(0))
    assert (early.paid, late.paid) == (Decimal("0.02"), Decimal("0.04"))


def test_prices_are_those_of_the_newest_calls(database: Database) -> None:
    """What a text costs, its refused takes included; estimates and other models teach nothing."""
    with database.begin() as connection:
        assert pricing.seen(connection, MODEL) is None
        add_attempt(connection, cost=Decimal("0.006"))
        add_attempt(connection, cost=Decimal("0.002"), verdict=VerdictKind.BAD_TAKE)
        add_attempt(connection, cost=Decimal("0.004"))
        add_attempt(connection, cost=Decimal(9), cost_estimated=True)
        add_attempt(connection, cost=Decimal(9), model=OTHER_MODEL)
        found = pricing.seen(connection, MODEL)
    assert found == pricing.Seen(texts=2, cost=Decimal("0.006"), seconds=8.0)


def test_what_was_bought_is_found_again(database: Database) -> None:
    """By its content; what failed or waits was not bought. More are asked about than fit into one look."""
    with database.begin() as connection:
        bought(connection, cost="0.01", sha256="a" * 64, fingerprint="b" * 64)
        add_job(connection, fingerprint="c" * 64)
        add_job(connection, fingerprint="d" * 64, status=JobStatus.FAILED)
        strangers = [f"{number:064}" for number in range(pricing.FINGERPRINTS_PER_POLL)]
        asked = [*strangers, "b" * 64, "c" * 64, "d" * 64]
        assert pricing.bought(connection, asked) == {"b" * 64}
