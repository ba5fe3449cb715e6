"""The whole history of one run: rows, objects, the bill, and what was left where it should not be. Values only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from api_models.verdict import VerdictKind
from tests.chaos.event_timeline import Exit, Kill
from worker.emulator.ledger import BillLine


@dataclass(frozen=True, slots=True)
class JobEnd:
    """A job's row at the end."""

    id: UUID
    batch_id: UUID | None
    custom_id: str | None
    text: str
    """Its hash, as in the API's bill."""
    status: str
    attempt: int
    cost: Decimal
    cached: bool
    uri: str | None
    sha256: str | None
    code: str | None
    message: str | None


@dataclass(frozen=True, slots=True)
class AttemptEnd:
    """One row of the ledger."""

    job_id: UUID
    number: int
    worker_id: UUID | None
    verdict: str
    code: str | None
    message: str | None
    request_id: str | None
    cost: Decimal
    cost_estimated: bool
    possibly_billed: bool
    take_uri: str | None
    started_at: datetime
    finished_at: datetime

    @property
    def succeeded(self) -> bool:
        """Whether it ended its job well."""
        return self.verdict in {VerdictKind.SUCCESS, VerdictKind.CACHED}


@dataclass(frozen=True, slots=True)
class History:
    """The evidence of a finished run, to be judged."""

    jobs: Sequence[JobEnd]
    attempts: Sequence[AttemptEnd]
    bill: Sequence[BillLine]
    objects: Mapping[str, str]
    """The SHA-256 of what is stored, by address."""
    accepted: Mapping[UUID, int] = field(default_factory=dict)
    """Batches that were confirmed to their producer, and how many jobs each has."""
    kills: Sequence[Kill] = ()
    exits: Sequence[Exit] = ()
    spooled: Sequence[str] = ()
    """Files left in spools once every worker had left in good order."""
    messages: int = 0
    """Messages left in the broker."""
    gates: Sequence[str] = ()
    """Gates that are still closed."""
    surprises: Sequence[str] = ()
    """Lines in which a worker logged an unexpected error."""
    trouble: Sequence[str] = ()
    """What of the disturbing itself, or of the end, did not go as it should."""

    def attempts_by_job(self) -> dict[UUID, list[AttemptEnd]]:
        """The ledger's rows of each job, in the order of their numbers."""
        rows: dict[UUID, list[AttemptEnd]] = defaultdict(list)
        for attempt in sorted(self.attempts, key=lambda attempt: attempt.number):
            rows[attempt.job_id].append(attempt)
        return rows
