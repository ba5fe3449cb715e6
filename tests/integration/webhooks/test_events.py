"""Events are written in the transaction that they report, and only for subscribers."""

from __future__ import annotations

import json
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from tests.factories import NOW, a_claim, add_batch, add_job, add_worker
from tests.integration.webhooks.harness import (
    add_endpoint,
    types,
)
from worker.store.database import Database
from worker.store.queries import filters, results
from worker.store.tables.webhooks import EventRow
from worker.store.transitions import (
    actions,
    claims,
    completion,
    dispatches,
    rescues,
    settlement,
)
from worker.store.transitions.completion import Conclusion
from worker.store.transitions.settlement import Settlement


class TestEvents:
    """An event is written in the transaction that finishes a job, if an endpoint subscribes to it."""

    def test_a_job_without_a_subscriber_writes_no_event(self, database: Database) -> None:
        """Neither its producer nor its tenant asked."""
        claim = self._claimed(database, notify=None)
        assert not claim.has_subscriber
        self._settle(database, claim)
        assert types(database) == []

    @pytest.mark.parametrize("way", ["settle", "all"])
    def test_a_job_with_a_subscriber_ends_with_an_event(self, database: Database, way: str) -> None:
        """Alone and in a group; given again after a lost answer, it stays one."""
        claim = self._claimed(database, notify=True)
        assert claim.has_subscriber
        if way == "settle":
            self._settle(database, claim)
            self._settle(database, claim)
        else:
            with database.begin() as connection:
                settlement.settle_all_at_once(connection, [(claim, self._failed())], now=NOW)
        assert types(database) == ["job.failed"]

    def test_an_endpoint_receives_its_tenants_jobs(self, database: Database) -> None:
        """Also of jobs submitted before it, and of no other tenant's."""
        add_endpoint(database, "https://example.org/")
        assert self._claimed(database, notify=None).has_subscriber
        assert not self._claimed(database, notify=None, tenant="globex").has_subscriber

    def test_a_transaction_that_fails_leaves_no_event(self, database: Database) -> None:
        """The event is part of it."""
        claim = self._claimed(database, notify=True)

        with database.engine.connect() as connection, connection.begin() as transaction:
            assert settlement.settle(connection, claim, self._failed(), now=NOW)
            transaction.rollback()
        assert types(database) == []

    def test_every_way_to_end_is_an_event(self, database: Database) -> None:
        """Cancelled, expired, and failed because the worker died once too often."""
        with database.begin() as connection:
            cancelled = add_job(connection, notify=True)
            add_job(connection, notify=None)
            add_job(connection, notify=True, deadline=NOW - timedelta(minutes=1))
            worker = add_worker(connection)
            add_job(connection, notify=True, status=JobStatus.RUNNING, worker_id=worker, attempts_used=5)
            assert actions.cancel(connection, filters.selection(job_ids=[cancelled]), now=NOW) == 1
            assert dispatches.expire(connection, now=NOW) == 1
            assert rescues.rescue(connection, [worker], max_attempts=5, now=NOW).failed == 1
        assert types(database) == ["job.cancelled", "job.expired", "job.failed"]

    def test_a_batch_ends_once_after_its_last_job(self, database: Database) -> None:
        """Not before its files are there, not again; and once more when some of it was tried again."""
        with database.begin() as connection:
            batch = add_batch(connection, tenant="acme", notify=True, total=2)
            jobs = [add_job(connection, tenant="acme", batch_id=batch, custom_id=name, notify=True) for name in "ab"]
            for job in jobs:
                actions.cancel(connection, filters.selection(job_ids=[job]), now=NOW)
        assert types(database) == ["job.cancelled", "job.cancelled"]
        assert [self._concluded(database, batch) for _ in range(2)] == [Conclusion.WON, Conclusion.LATE]
        assert types(database) == ["job.cancelled", "job.cancelled", "batch.finished"]
        with database.begin() as connection:
            actions.retry(connection, filters.selection(job_ids=jobs[:1]), states=[JobStatus.CANCELLED])
            actions.cancel(connection, filters.selection(batch_id=batch), now=NOW)
        assert self._concluded(database, batch) is Conclusion.WON
        assert types(database)[3:] == ["job.cancelled", "batch.finished"]
        with database.read() as connection:
            last = json.loads(
                connection.execute(select(EventRow.data).order_by(EventRow.id.desc()).limit(1)).scalar_one()
            )
        assert last["counts"] == {"cancelled": 2}

    @staticmethod
    def _concluded(database: Database, batch: UUID) -> Conclusion:
        with database.begin() as connection:
            standing = results.standing(connection, batch)
            assert standing is not None
            return completion.conclude(connection, batch, standing, results_uri="file:///audio", now=NOW)

    @staticmethod
    def _claimed(database: Database, *, notify: bool | None, tenant: str = "acme") -> claims.Claim:
        with database.begin() as connection:
            job = add_job(connection, tenant=tenant, status=JobStatus.DISPATCHED, notify=notify)
            found = claims.claim(connection, job, 0, worker_id=a_claim().worker_id, now=NOW)
        assert found is not None
        return found

    @staticmethod
    def _failed() -> Settlement:
        return Settlement(JobStatus.FAILED, VerdictKind.REFUSED, code="invalid_request", message="No.")

    def _settle(self, database: Database, claim: claims.Claim) -> None:
        with database.begin() as connection:
            assert settlement.settle(connection, claim, self._failed(), now=NOW)
