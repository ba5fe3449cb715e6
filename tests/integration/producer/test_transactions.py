"""Producers that bring their own transaction: jobs exist exactly if it commits, whatever kind of session holds it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from api_models.inbox import MAX_KEY_CHARACTERS
from api_models.speech import JobRequest
from tests.factories import ORIGIN, a_request, stored
from worker import producer, settings
from worker.producer import KeyReusedError
from worker.store import batches
from worker.store.access import idempotency
from worker.store.database import Database
from worker.store.queries import jobs as job_queries
from worker.store.writing import bulk

MANY = bulk.FEW_ROWS + 5
"""More than go in one ordinary INSERT."""


def requests(count: int, **fields: Any) -> list[JobRequest]:  # noqa: ANN401 - any field of it
    """Equal arguments make equal requests."""
    return [a_request(text=f"Gate {number}.", custom_id=f"gate-{number}", **fields) for number in range(count)]


def jobs(database: Database) -> int:
    """How many jobs are committed."""
    with database.read() as connection:
        return job_queries.counts(connection, job_queries.all_jobs()).total


def kinds_of_session(database: Database) -> list[Callable[[], Any]]:
    """Everything synchronous that a caller may have."""
    made = sessionmaker(database.engine)
    return [lambda: Session(database.engine), database.engine.connect, lambda: scoped_session(made)]


def test_every_kind_of_transaction_takes_jobs(database: Database) -> None:
    """A Session, a Connection and a scoped session: nothing before the commit, everything after it."""
    for number, make in enumerate(kinds_of_session(database), 1):
        where = make()
        job = producer.enqueue(where, a_request(), origin=ORIGIN)
        batch = producer.enqueue_many(where, requests(MANY), name="gates", origin=ORIGIN)
        where.commit()
        where.close()
        assert jobs(database) == number * (MANY + 1)
        with database.read() as connection:
            assert stored(connection, job).status == "queued"
            found = batches.by_id(connection, batch)
            assert found is not None
            assert (found.total, found.name) == (MANY, "gates")


def test_a_transaction_that_is_rolled_back_leaves_nothing(database: Database) -> None:
    """No job, no batch, and the idempotency keys are free again."""
    for make in kinds_of_session(database):
        where = make()
        producer.enqueue(where, a_request(), origin=ORIGIN, idempotency_key="one")
        producer.enqueue_many(where, requests(MANY), name="gates", origin=ORIGIN, idempotency_key="many")
        where.rollback()
        where.close()
    assert jobs(database) == 0
    with database.read() as connection:
        assert batches.latest(connection, most=9) == []
        assert connection.execute(text("SELECT count(*) FROM idempotency_keys")).scalar_one() == 0


@pytest.mark.servers
def test_asynchronous_transactions_do_the_same(on_postgresql: Database) -> None:
    """An AsyncSession that commits and one that rolls back, an AsyncConnection, few jobs and many."""
    database = on_postgresql

    async def with_session(engine: AsyncEngine) -> None:
        async with AsyncSession(engine) as session, session.begin():
            await producer.enqueue_async(session, a_request(), origin=ORIGIN, idempotency_key="one")
            await producer.enqueue_many_async(session, requests(MANY), name="gates", origin=ORIGIN)

    async def with_connection(engine: AsyncEngine) -> None:
        async with engine.begin() as connection:
            await producer.enqueue_async(connection, a_request(), origin=ORIGIN)

    async def rolled_back(engine: AsyncEngine) -> None:
        async with AsyncSession(engine) as session:
            await producer.enqueue_many_async(session, requests(MANY), name="gates", origin=ORIGIN)
            await session.rollback()

    for produce, added in ((with_session, MANY + 1), (with_connection, 1), (rolled_back, 0)):
        before = jobs(database)
        asynchronously(database, produce)
        assert jobs(database) == before + added


def asynchronously(database: Database, produce: Callable[[AsyncEngine], Awaitable[None]]) -> None:
    """Run a producer of the asynchronous kind, on the loop that psycopg can do with."""

    async def main() -> None:
        engine = create_async_engine(database.url)
        try:
            await produce(engine)
        finally:
            await engine.dispose()

    asyncio.run(main())


def test_the_same_request_under_one_key_is_one_job(database: Database) -> None:
    """The second time brings the first job's id; another tenant's key is another key."""
    request = a_request(text="Once.")
    with database.begin() as connection:
        first = producer.enqueue(connection, request, origin=ORIGIN, idempotency_key="k")
        other = producer.enqueue(connection, request, origin=ORIGIN, idempotency_key="k", tenant="other")
    with database.begin() as connection:
        again = producer.enqueue(connection, request, origin=ORIGIN, idempotency_key="k")
    assert first == again != other
    assert jobs(database) == 2


def test_another_request_under_the_same_key_is_refused(database: Database) -> None:
    """With words that name the key; the job of the first stays the only one."""
    with database.begin() as connection:
        producer.enqueue(connection, a_request(), origin=ORIGIN, idempotency_key="k")
    with pytest.raises(KeyReusedError, match="'k'"), database.begin() as connection:
        producer.enqueue(connection, a_request(), origin=ORIGIN, idempotency_key="k")
    with pytest.raises(KeyReusedError), database.begin() as connection:
        producer.enqueue_many(connection, requests(3), name="n", origin=ORIGIN, idempotency_key="k")
    assert jobs(database) == 1


@pytest.mark.parametrize("key", ["", "k" * (MAX_KEY_CHARACTERS + 1)])
def test_a_key_has_some_characters_and_not_too_many(database: Database, key: str) -> None:
    """What the table couldn't hold is refused before anything is written."""
    with database.begin() as connection, pytest.raises(ValueError, match="1 to 255"):
        producer.enqueue(connection, a_request(), origin=ORIGIN, idempotency_key=key)


def test_keys_are_kept_for_more_than_a_day() -> None:
    """The least that was promised is 24 hours."""
    assert idempotency.KEPT.total_seconds() >= 24 * 3_600


def test_the_same_requests_under_one_key_are_one_batch(database: Database) -> None:
    """A generator is read to its end to be compared; one request more, fewer or other is a conflict."""

    def hand_in(wanted: list[JobRequest]) -> UUID:
        with database.begin() as connection:
            return producer.enqueue_many(connection, iter(wanted), name="n", origin=ORIGIN, idempotency_key="k")

    first = hand_in(requests(MANY))
    assert hand_in(requests(MANY)) == first
    for other in (requests(MANY + 1), requests(MANY - 1), requests(MANY, voice_1="Puck")):
        with pytest.raises(KeyReusedError):
            hand_in(other)
    assert jobs(database) == MANY


@pytest.mark.servers
def test_concurrent_submissions_of_one_batch_are_one(on_postgresql: Database) -> None:
    """A writer that comes second discards its batch, and its transaction continues."""
    line = Barrier(4)

    def give(_: int) -> UUID:
        line.wait()
        with on_postgresql.begin() as connection:
            batch = producer.enqueue_many(connection, requests(MANY), name="n", origin=ORIGIN, idempotency_key="k")
            producer.enqueue(connection, a_request(), origin=ORIGIN)
            return batch

    with ThreadPoolExecutor(4) as executor:
        made = set(executor.map(give, range(4)))
    assert len(made) == 1
    assert jobs(on_postgresql) == MANY + 4
    with on_postgresql.read() as connection:
        assert [batch.id for batch in batches.latest(connection, most=9)] == list(made)
        assert connection.execute(text("SELECT count(*) FROM idempotency_keys")).scalar_one() == 1


def test_a_batch_needs_a_request(database: Database) -> None:
    """An empty batch would be over before it began."""
    with database.begin() as connection, pytest.raises(ValueError, match="no requests"):
        producer.enqueue_many(connection, [], name="n", origin=ORIGIN)


def test_a_name_given_twice_is_refused_by_the_database(database: Database) -> None:
    """The whole transaction is the caller's to roll back."""
    with pytest.raises(IntegrityError), database.begin() as connection:
        producer.enqueue_many(connection, requests(2) + requests(1), name="n", origin=ORIGIN)
    assert jobs(database) == 0


def test_a_request_without_the_address_uses_that_of_the_settings(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a job of a producer and a line of `ttsq run` are the same content."""
    monkeypatch.setenv("SEGMIND_BASE_URL", "http://127.0.0.1:9")
    settings.current.cache_clear()
    try:
        with database.begin() as connection:
            request = a_request(text="Hello.")
            plain = producer.enqueue(connection, request)
            named = producer.enqueue(connection, request, origin="http://127.0.0.1:9")
            assert stored(connection, plain).fingerprint == stored(connection, named).fingerprint
    finally:
        settings.current.cache_clear()
