"""Rows as JSON responses. Pure; every shape is a model of `api_models`, and a test compares the two."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from api_models import links
from api_models.encodings import AudioTags
from api_models.formats import AudioFormat
from api_models.status import TERMINAL, JobStatus
from api_models.timings import Timings
from api_models.wording import Wording
from worker.documents.stored_plan import StoredPlan
from worker.intake.unspoken import markup_warnings
from worker.store import documents
from worker.store.documents import DocumentRecord, PartRecord
from worker.store.queries.jobs import AttemptRecord, Counts
from worker.store.queries.tenant_pages import BatchEntry, EventEntry, JobEntry


def stamp(at: datetime | None) -> str | None:
    """Format a time as ISO 8601 in UTC, ending in Z."""
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def amount(dollars: Decimal) -> str:
    """Format an exact amount: no exponent, no trailing zeros."""
    return f"{dollars.normalize():f}" if dollars else "0"


def job(entry: JobEntry, base: str = "") -> dict[str, Any]:
    """`base` is the beginning of links: the gateway's public URL, or nothing for paths."""
    return {
        "id": str(entry.id),
        "batch_id": None if entry.batch_id is None else str(entry.batch_id),
        "custom_id": entry.custom_id,
        "tags": tags(entry.tags),
        "status": str(_status(entry)),
        "model": entry.model,
        "voice_1": entry.voice_1,
        "voice_2": entry.voice_2,
        "temperature": entry.temperature,
        **_texts(entry.text, entry.wording),
        "priority": entry.priority,
        "not_before": stamp(_not_before(entry.not_before)),
        "deadline": stamp(entry.deadline),
        "format": entry.audio_format or str(AudioFormat.WAV),
        "loudness": entry.target_lufs,
        "sample_rate": entry.sample_rate,
        "mp3_bitrate": entry.mp3_bitrate,
        **asdict(AudioTags.read(entry.audio_tags)),
        "expires_after": entry.expires_after,
        "removed_at": stamp(entry.purged_at),
        "attempts": entry.attempt,
        "code": entry.code,
        "message": entry.message,
        "cost": amount(entry.cost),
        "cached": entry.cached,
        "audio": _audio(entry, base),
        "warnings": markup_warnings(entry.text),
        "parts": entry.parts,
        "timings": entry.timings or str(Timings.NONE),
        "provenance": bool(entry.provenance),
        "created_at": stamp(entry.created_at),
        "started_at": stamp(entry.started_at),
        "finished_at": stamp(entry.finished_at),
    }


def new_job(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": str(row["id"]),
        "batch_id": None,
        "custom_id": row["custom_id"],
        "tags": tags(row["tags"]),
        "status": str(JobStatus.QUEUED if row.get("parts") else row["status"]),
        "model": row["model"],
        "voice_1": row["voice_1"],
        "voice_2": row["voice_2"],
        "temperature": row["temperature"],
        **_texts(row["text"], row.get("wording")),
        "priority": row["priority"],
        "not_before": stamp(_not_before(row["not_before"])),
        "deadline": stamp(row["deadline"]),
        "format": row["audio_format"] or str(AudioFormat.WAV),
        "loudness": row["target_lufs"],
        "sample_rate": row["sample_rate"],
        "mp3_bitrate": row["mp3_bitrate"],
        **asdict(AudioTags.read(row["audio_tags"])),
        "expires_after": row["expires_after"],
        "removed_at": None,
        "attempts": 0,
        "code": None,
        "message": None,
        "cost": "0",
        "cached": False,
        "audio": None,
        "warnings": markup_warnings(row["text"]),
        "parts": row.get("parts"),
        "timings": row["timings"] or str(Timings.NONE),
        "provenance": bool(row["provenance"]),
        "created_at": stamp(row["created_at"]),
        "started_at": None,
        "finished_at": None,
    }


def _texts(text: str, wording: str | None) -> dict[str, Any]:
    """What the producer wrote, and what is spoken in its place."""
    found = None if wording is None else Wording.read(wording)
    return {
        "text": text if found is None else found.original,
        "spoken_text": None if found is None else text,
        "lexicon": None if found is None else found.lexicon or None,
    }


def _status(entry: JobEntry) -> str:
    """The state of a job for its producer. A document that waits for its parts is queued, or running once one began."""
    if entry.parts is None or entry.status != JobStatus.SCHEDULED:
        return entry.status
    return JobStatus.QUEUED if entry.started_at is None else JobStatus.RUNNING


def _not_before(at: datetime | None) -> datetime | None:
    return None if at is not None and documents.is_far(at) else at


def tags(stored: str | None) -> list[str]:
    return stored.strip(",").split(",") if stored else []


def _audio(entry: JobEntry, base: str) -> dict[str, Any] | None:
    if entry.status != JobStatus.SUCCEEDED or entry.purged_at is not None:
        return None
    return {
        "content_type": entry.content_type,
        "bytes": entry.audio_bytes,
        "sha256": entry.sha256,
        "duration_ms": entry.duration_ms,
        "url": base + links.audio_path(entry.id),
    }


def attempt(record: AttemptRecord) -> dict[str, Any]:
    return {
        "number": record.number,
        "verdict": str(record.verdict),
        "code": record.code,
        "message": record.message,
        "cost": amount(record.cost),
        "cost_estimated": record.cost_estimated,
        "possibly_billed": record.possibly_billed,
        "started_at": stamp(record.started_at),
        "finished_at": stamp(record.finished_at),
    }


def parts(found: Sequence[PartRecord], record: DocumentRecord | None) -> dict[str, Any]:
    """The parts of a document. Without a record, or once it was removed, their places are unknown."""
    plan = StoredPlan.decode(record.plan) if record is not None and record.plan else None
    counts = Counter(str(one.status) for one in found if one.chosen)
    return {"counts": dict(counts), "parts": [_part(one, plan) for one in found]}


def _part(one: PartRecord, plan: StoredPlan | None) -> dict[str, Any]:
    return {
        "id": str(one.id),
        "part": one.part,
        "status": str(one.status),
        "chosen": one.chosen,
        "chapter": "" if plan is None else plan.chapter(one.part),
        "text": one.text,
        "seconds": None if plan is None else plan.parts[one.part - 1].seconds,
        "duration_ms": one.duration_ms,
        "cost": amount(one.cost),
        "code": one.code,
        "message": one.message,
    }


def batch(entry: BatchEntry, counts: Counts, warnings: Sequence[str] = ()) -> dict[str, Any]:
    return {
        "id": str(entry.id),
        "name": entry.name,
        "total": entry.total,
        "counts": {str(status): number for status, number in counts.by_status.items()},
        "cached": counts.cached,
        "cost": amount(counts.cost),
        "max_cost": None if entry.max_cost is None else amount(entry.max_cost),
        "finished": counts.of(*TERMINAL) == counts.total,
        "created_at": stamp(entry.created_at),
        "paused_at": stamp(entry.paused_at),
        "finished_at": stamp(entry.finished_at),
        "warnings": list(warnings),
    }


def event(entry: EventEntry, base: str = "") -> dict[str, Any]:
    return {
        "id": entry.id,
        "type": entry.type,
        "at": stamp(entry.at),
        "subject": entry.subject,
        "data": dict(links.absolute(entry.data, base)),
    }


def page(name: str, items: Sequence[Mapping[str, Any]], limit: int) -> dict[str, Any]:
    """A page of a list; a short page is the last."""
    return {name: items, "next_cursor": items[-1]["id"] if len(items) == limit else None}
