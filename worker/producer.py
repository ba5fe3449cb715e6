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
from worker.store import batches, views
from worker.store.batches import BatchRecord
from worker.store.tables import NO_LANE
from worker.store.transitions import asking

DEFAULT_TENANT: Final = "default"
AUDIO_FORMAT: Final = "wav"
ROWS_A_STATEMENT: Final = 2_000

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
    row = _job_row(request, tenant=tenant, batch_id=None, line=None, origin=origin, now=now or datetime.now(UTC))
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
    now: datetime | None = None,
) -> Submission:
    """Hand in a batch, or find the one that the same rows and output made before and take it up again.

    With `resume` false the batch is made anew and every text is bought afresh.
    """
    now = now or datetime.now(UTC)
    key = resume_key(rows, origin=origin, output_url=output_url)
    known = batches.by_resume_key(connection, tenant, key)
    if known is not None and resume:
        retried = asking.retry(connection, views.of_batch(known.id), states=AGAIN)
        return Submission(batch=known, resumed=True, retried=retried)
    if known is not None:
        batches.forget_resume_key(connection, known.id)
    batch = BatchRecord(id=uuid7(), tenant=tenant, name=name, output_url=output_url, total=len(rows), created_at=now)
    batches.add(connection, batch, resume_key=key)
    for start in range(0, len(rows), ROWS_A_STATEMENT):
        asking.submit(
            connection,
            (
                _job_row(
                    row.request,
                    tenant=tenant,
                    batch_id=batch.id,
                    line=row.line,
                    origin=origin,
                    now=now,
                    use_cache=resume,
                )
                for row in rows[start : start + ROWS_A_STATEMENT]
            ),
        )
    return Submission(batch=batch, resumed=False, retried=0)


def resume_key(rows: Iterable[Row], *, origin: str, output_url: str | None) -> str:
    """What makes the same command find its batch again: the contents, their names, and where the audio goes."""
    digest = hashlib.sha256(f"{origin}\n{output_url}\n".encode())
    for row in rows:
        content = row.request.fingerprint(origin=origin, audio_format=AUDIO_FORMAT)
        digest.update(f"{row.request.custom_id}\t{content}\n".encode())
    return digest.hexdigest()


def _job_row(
    request: JobRequest,
    *,
    tenant: str,
    batch_id: UUID | None,
    line: int | None,
    origin: str,
    now: datetime,
    use_cache: bool = True,
) -> dict[str, Any]:
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
        "fingerprint": request.fingerprint(origin=origin, audio_format=AUDIO_FORMAT),
        "use_cache": use_cache and request.cache == "use",
        "attempt": 0,
        "attempts_used": 0,
        "takes_used": 0,
        "recover": False,
        "created_at": now,
        "cost": Decimal(0),
        "cached": False,
    }
