"""What attempts ask of the database on their way, in groups: to have a job, to have it still, to keep a handle."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from worker.execution.grouping import Elsewhere, Grouped
from worker.execution.heartbeat import Heartbeat
from worker.store.database import Database
from worker.store.transitions import claiming, submitting
from worker.store.transitions.claiming import Claim


class Asked:
    """One for a worker, so that what its attempts ask at the same moment is asked once.

    Answers come as futures, and may be a SQLAlchemyError.
    """

    def __init__(self, database: Database, heartbeat: Heartbeat, elsewhere: Elsewhere) -> None:
        gathers = not database.is_sqlite
        self._database = database
        self._heartbeat = heartbeat
        self.claim: Grouped[tuple[UUID, int], Claim | None] = Grouped(self._claim, gathers=gathers, elsewhere=elsewhere)
        """The job of a message; None where someone else has it."""
        self.owns: Grouped[Claim, bool] = Grouped(self._owns, gathers=gathers, elsewhere=elsewhere)
        """Whether a job is still the claim's."""
        self.keep: Grouped[tuple[Claim, str], None] = Grouped(self._keep, gathers=gathers, elsewhere=elsewhere)
        """Commit the handle of what was submitted."""

    def _claim(self, turns: Sequence[tuple[UUID, int]]) -> list[Claim | None]:
        me = self._heartbeat.worker_id
        with self._database.at_once() as connection:
            return claiming.claim_all(connection, turns, worker_id=me, now=self._heartbeat.now())

    def _owns(self, claims: Sequence[Claim]) -> list[bool]:
        with self._database.glance() as connection:
            return claiming.are_owned(connection, claims)

    def _keep(self, submitted: Sequence[tuple[Claim, str]]) -> list[None]:
        with self._database.at_once() as connection:
            submitting.keep(connection, submitted)
        return [None] * len(submitted)
