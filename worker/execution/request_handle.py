"""The handle of what an attempt submits (v2), as the client sees it: committed before the first poll, however long the
database is away, because from the submission on it is the only way to audio that is paid for.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from worker.execution.database_retry import DatabaseRetry
from worker.store.database import is_passing
from worker.store.transitions.claims import Claim


@dataclass(slots=True)
class JobHandle:
    """A `Handle` in the job's row."""

    claim: Claim
    write: Callable[[tuple[Claim, str]], Future[None]]
    database_retry: DatabaseRetry
    request_id: str | None = field(init=False)
    """What the row names, as far as this attempt knows."""
    unkept: str | None = None
    """What was submitted and isn't in the row: should the attempt end now, nobody finds it."""

    def __post_init__(self) -> None:
        self.request_id = self.claim.request_id

    async def keep(self, request_id: str) -> None:
        """Commit it; see `Handle`.

        Raises:
            SQLAlchemyError: the worker is stopping, and the database still away; or it will never take the handle.
        """
        self.unkept = request_id
        await self.database_retry.run(
            lambda: self.write((self.claim, request_id)), event="handle_not_kept", is_passing=is_passing
        )
        self.request_id, self.unkept = request_id, None
