"""Database queries of attempts, batched: claim a job, check ownership, store a request handle."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from worker.execution.batcher import Batcher, Offload
from worker.execution.heartbeat import Heartbeat
from worker.store.database import Database
from worker.store.transitions import claims as job_claims
from worker.store.transitions.claims import Claim


class BatchedQueries:
    """One per worker. Results are futures and may be a SQLAlchemyError."""

    def __init__(self, database: Database, heartbeat: Heartbeat, offload: Offload) -> None:
        collects = not database.is_sqlite
        self._database = database
        self._heartbeat = heartbeat
        self.claim: Batcher[tuple[UUID, int], Claim | None] = Batcher(self._claim, collects=collects, offload=offload)
        """Claim a message's job; None if another worker has it."""
        self.owns: Batcher[Claim, bool] = Batcher(self._owns, collects=collects, offload=offload)
        """Whether the claim still owns its job."""
        self.keep: Batcher[tuple[Claim, str], None] = Batcher(self._keep, collects=collects, offload=offload)
        """Commit the handle of a submitted request."""

    def _claim(self, turns: Sequence[tuple[UUID, int]]) -> list[Claim | None]:
        me = self._heartbeat.worker_id
        with self._database.at_once() as connection:
            return job_claims.claim_all(connection, turns, worker_id=me, now=self._heartbeat.now())

    def _owns(self, claims: Sequence[Claim]) -> list[bool]:
        with self._database.glance() as connection:
            return job_claims.are_owned(connection, claims)

    def _keep(self, submitted: Sequence[tuple[Claim, str]]) -> list[None]:
        with self._database.at_once() as connection:
            job_claims.keep(connection, submitted)
        return [None] * len(submitted)
