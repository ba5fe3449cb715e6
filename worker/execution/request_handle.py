"""The handle of a submitted request (v2), committed before the first poll and retried through database outages.

After submission, the handle is the only way to audio that is paid for.
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
    """A `Handle` stored in the job's row."""

    claim: Claim
    write: Callable[[tuple[Claim, str]], Future[None]]
    database_retry: DatabaseRetry
    request_id: str | None = field(init=False)
    """The request id in the row, as far as this attempt knows."""
    unkept: str | None = None
    """A submitted request not yet in the row: if the attempt ends now, it can't be found."""

    def __post_init__(self) -> None:
        self.request_id = self.claim.request_id

    async def keep(self, request_id: str) -> None:
        """Commit the request id; see `Handle`. Raises SQLAlchemyError: the worker is stopping during an outage, or the
        database can't store the id.
        """
        self.unkept = request_id
        await self.database_retry.run(
            lambda: self.write((self.claim, request_id)), event="handle_not_kept", is_passing=is_passing
        )
        self.request_id, self.unkept = request_id, None
