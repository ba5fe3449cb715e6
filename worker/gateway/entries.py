"""New jobs as rows, with the gateway's additions: callback address, API key, trace. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

from api_models.jobs import JobIn
from worker import producer
from worker.gateway.middleware.api_keys import Caller
from worker.producer import documents
from worker.producer.documents import PLAIN, DocumentRows, Source
from worker.settings import Settings
from worker.telemetry import tracing

_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(frozen=True, slots=True)
class Origin:
    api: str
    """The address of the API that will speak it."""
    tenant: str
    key_id: UUID | None = None
    lane: UUID | None = None
    """For jobs without a batch: the key's separate lane if its budget may hold them; None for the shared lane."""
    traceparent: str | None = None
    kept_seconds: int | None = None
    """Default retention of text and audio after the job has finished."""
    shared: bool = False
    """Whether audio bought by one tenant is copied for all."""

    @classmethod
    def of(cls, settings: Settings, caller: Caller, headers: Mapping[str, str]) -> Origin:
        given = headers.get(tracing.HEADER, "")
        trace = tracing.traceparent() or (given if _TRACEPARENT.fullmatch(given) else None)
        return cls(
            settings.segmind_base_url,
            caller.tenant,
            caller.key_id,
            caller.key_id if caller.key is not None and caller.key.budget is not None else None,
            trace,
            settings.expires_after,
            settings.shares_content,
        )


def entry(
    job: JobIn,
    origin: Origin,
    *,
    now: datetime,
    batch_id: UUID | None = None,
    line: int | None = None,
    extra: str | None = None,
) -> dict[str, Any]:
    row = producer.job_row(
        job,
        tenant=origin.tenant,
        batch_id=batch_id,
        line=line,
        origin=origin.api,
        now=now,
        kept_seconds=origin.kept_seconds,
        shared=origin.shared,
        extra=extra,
    )
    row |= {
        "callback_url": job.receiver,
        "notify": True,
        "key_id": origin.key_id,
        "lane": batch_id or origin.lane or row["lane"],
        "traceparent": origin.traceparent,
    }
    return row


def document(
    job: JobIn,
    row: dict[str, Any],
    origin: Origin,
    max_text_bytes: int | None,
    *,
    source: Source | None = None,
) -> DocumentRows:
    """Turn the row of a long text into a document with its parts. Takes seconds for a book."""
    content = partial(producer.content_of, origin=origin.api, tenant=origin.tenant, shared=origin.shared)
    style = PLAIN if source is None else source.style
    return documents.document_rows(row, job, documents.plan_of(job, max_text_bytes, source), content, style)
