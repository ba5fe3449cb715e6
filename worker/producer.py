"""Producers in Python: rows into the database, inside a transaction of the caller's. No broker is needed here.

A job exists exactly if the transaction commits; the dispatcher finds it by itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection
from uuid_utils.compat import uuid7

from api_models.speech import JobRequest
from api_models.status import JobStatus
from worker.intake.judging import Row
from worker.store import batches, budgets, views
from worker.store.batches import BatchRecord
from worker.store.tables import NO_LANE
from worker.store.transitions import asking

DEFAULT_TENANT: Final = "default"
AUDIO_FORMAT: Final = "wav"

AGAIN: Final = (JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.EXPIRED)
"""Ended jobs that the same command, given again, tries again."""


@dataclass(frozen=True, slots=True)
class Submission:
    """What became of a batch that was handed in."""

    batch: BatchRecord
    resumed: bool
    """The same command had made this batch before; nothing was added."""
    retried: int
    """Jobs of it that had ended without audio and are now queued again."""


def enqueue(
    connection: Connection,
    request: JobRequest,
    *,
    origin: str,
    tenant: str = DEFAULT_TENANT,
    now: datetime | None = None,
) -> UUID:
    """Hand in one job. `origin` is the API's address, which keeps rehearsals and the real thing apart."""
    row = job_row(request, tenant=tenant, batch_id=None, line=None, origin=origin, now=now or datetime.now(UTC))
    asking.submit(connection, [row])
    job_id: UUID = row["id"]
    return job_id


def submit_batch(
    connection: Connection,
    rows: Sequence[Row],
    *,
    name: str,
    origin: str,
    output_url: str | None,
    tenant: str = DEFAULT_TENANT,
    resume: bool = True,
    use_cache: bool | None = None,
    max_cost: Decimal | None = None,
    now: datetime | None = None,
) -> Submission:
    """Hand in a batch, or find the one that the same rows and output made before and take it up again.

    With `resume` false the batch is made anew and every text is bought afresh, unless `use_cache` has it copied where
    it can be. `max_cost` is what its calls may cost altogether, in US dollars; a batch that is taken up again without
    one keeps the limit it has.
    """
    now = now or datetime.now(UTC)
    key = resume_key(rows, origin=origin, output_url=output_url)
    batch = BatchRecord(id=uuid7(), tenant=tenant, name=name, output_url=output_url, total=len(rows), created_at=now)
    added = False
    while not added:
        known = batches.by_resume_key(connection, tenant, key)
        if known is not None and resume:
            retried = asking.retry(connection, views.of_batch(known.id), states=AGAIN)
            _limit(connection, known.id, max_cost)
            return Submission(batch=known, resumed=True, retried=retried)
        if known is not None:
            batches.forget_resume_key(connection, known.id)
        # Given twice at once, the command waits here for its twin to commit, and then looks again.
        added = batches.add(connection, batch, resume_key=key)
    cached = resume if use_cache is None else use_cache
    asking.submit(
        connection,
        (
            job_row(
                row.request,
                tenant=tenant,
                batch_id=batch.id,
                line=row.line,
                origin=origin,
                now=now,
                use_cache=cached,
            )
            for row in rows
        ),
    )
    _limit(connection, batch.id, max_cost)
    return Submission(batch=batch, resumed=False, retried=0)


def _limit(connection: Connection, batch_id: UUID, max_cost: Decimal | None) -> None:
    # Last in the transaction, because the dispatcher waits for a batch's row.
    if max_cost is not None:
        budgets.limit_batch(connection, batch_id, max_cost)


def resume_key(rows: Iterable[Row], *, origin: str, output_url: str | None) -> str:
    """What makes the same command find its batch again: the contents, their names, and where the audio goes."""
    digest = hashlib.sha256(f"{origin}\n{output_url}\n".encode())
    for row in rows:
        content = row.request.fingerprint(origin=origin, audio_format=AUDIO_FORMAT)
        digest.update(f"{row.request.custom_id}\t{content}\n".encode())
    return digest.hexdigest()


def content_of(request: JobRequest, *, origin: str, tenant: str) -> str:
    """The fingerprint of what this request would buy for this tenant.

    Tenants share nothing: a text that costs nothing would tell that somebody else has had it spoken.
    """
    whose = origin if tenant == DEFAULT_TENANT else f"{origin} {tenant}"
    return request.fingerprint(origin=whose, audio_format=AUDIO_FORMAT)


def job_row(
    request: JobRequest,
    *,
    tenant: str,
    batch_id: UUID | None,
    line: int | None,
    origin: str,
    now: datetime,
    use_cache: bool = True,
) -> dict[str, Any]:
    """The row of a new job, for whoever writes jobs together with rows of their own."""
    later = request.not_before is not None and request.not_before > now
    return {
        "id": uuid7(),
        "tenant": tenant,
        "batch_id": batch_id,
        "lane": batch_id or NO_LANE,
        "custom_id": request.custom_id,
        "line": line,
        "status": JobStatus.SCHEDULED if later else JobStatus.QUEUED,
        "priority": request.priority,
        "not_before": request.not_before,
        "deadline": request.deadline,
        "model": request.model,
        "text": request.text,
        "voice_1": request.voice_1,
        "voice_2": request.voice_2,
        "temperature": request.temperature,
        "fingerprint": content_of(request, origin=origin, tenant=tenant),
        "use_cache": use_cache and request.cache == "use",
        "attempt": 0,
        "attempts_used": 0,
        "takes_used": 0,
        "recover": False,
        "created_at": now,
        "cost": Decimal(0),
        "cached": False,
    }
