"""New jobs as rows: maps a request to its columns. Pure; nothing is written here."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID, SafeUUID

import uuid_utils

from api_models.formats import AudioFormat
from api_models.origins import content_origin
from api_models.speech import JobRequest
from api_models.status import JobStatus
from api_models.timings import Timings
from worker.store.tables.base import NO_LANE

ZERO: Final = Decimal(0)
_IS_SAFE: Final = SafeUUID.unknown
"""Passed to avoid an enum lookup, which takes longer than all else about an id."""


def content_of(request: JobRequest, *, origin: str, tenant: str, shared: bool = False) -> str:
    """Return the fingerprint of what this request would buy for this tenant.

    Tenants share nothing unless `shared`: a text that costs nothing would reveal that another tenant has bought it.
    """
    return request.fingerprint(origin=origin_of(origin, tenant, shared=shared), audio_format=request.form)


def origin_of(origin: str, tenant: str, *, shared: bool) -> str:
    return content_origin(origin, tenant, shared=shared)


def new_id() -> UUID:
    """A UUIDv7, which sorts by time. Skips the checks of `UUID(int=…)`, because a million are made at a time."""
    made = object.__new__(UUID)
    object.__setattr__(made, "int", uuid_utils.uuid7().int)
    object.__setattr__(made, "is_safe", _IS_SAFE)
    return made


def job_row(
    request: JobRequest,
    *,
    tenant: str,
    batch_id: UUID | None,
    line: int | None,
    origin: str,
    now: datetime,
    use_cache: bool = True,
    kept_seconds: int | None = None,
    shared: bool = False,
    extra: str | None = None,
) -> dict[str, Any]:
    """Return the row of a new job, for callers that write jobs together with rows of theirs.

    `kept_seconds` is the default retention of text and audio after the job has finished; `shared` lets all tenants copy
    what one has bought; `extra` holds the other columns of a sheet's row.
    """
    later = request.not_before is not None and request.not_before > now
    return {
        "id": new_id(),
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
        "fingerprint": content_of(request, origin=origin, tenant=tenant, shared=shared),
        "use_cache": use_cache and request.cache == "use",
        "attempt": 0,
        "attempts_used": 0,
        "takes_used": 0,
        "recover": False,
        "created_at": now,
        "cost": ZERO,
        "cached": False,
        "audio_format": None if request.format is AudioFormat.WAV else str(request.format),
        "target_lufs": request.loudness,
        "sample_rate": request.sample_rate,
        "mp3_bitrate": request.mp3_bitrate,
        "audio_tags": request.audio_tags.kept(),
        "expires_after": request.expires_after or kept_seconds,
        "tags": f",{','.join(request.tags)}," if request.tags else None,
        "extra": extra,
        "provenance": request.provenance or None,
        "timings": None if request.timings is Timings.NONE else str(request.timings),
        "wording": request.wording,
    }
