"""Formats one job for each of the result files. Pure; the keys and columns are a public interface.

No line depends on the time of writing, so that two writers of the same state write the same bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from api_models.status import JobStatus
from worker.store.queries.results import Outcome

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""Prefixes that make a spreadsheet read a cell as a formula (OWASP, CSV injection)."""
_NUMBER: Final = re.compile(r"-\d+(?:\.\d+)?")

_ENCODER: Final = json.JSONEncoder(ensure_ascii=False)

COLUMNS: Final = (
    "custom_id",
    "line",
    "status",
    "file",
    "sha256",
    "bytes",
    "duration_ms",
    "model",
    "cost",
    "cached",
    "code",
    "id",
)


def result(job: Outcome, file: str | None) -> str:
    return _line(
        _about(job)
        | {
            "audio": {
                "file": file,
                "uri": job.uri,
                "content_type": job.content_type,
                "bytes": job.audio_bytes,
                "sha256": job.sha256,
                "duration_ms": job.duration_ms,
            }
        }
    )


def error(job: Outcome) -> str:
    return _line(_about(job) | {"code": job.code, "message": job.message})


def columns(extra_names: Sequence[str] = ()) -> list[str]:
    return [*COLUMNS, *(safe(_unlike_ours(name)) for name in extra_names)]


def manifest(job: Outcome, file: str | None, extra_names: Sequence[str] = ()) -> list[object]:
    """Return a row of the manifest. No cell is a formula, whatever the text begins with."""
    extra: dict[str, str] = json.loads(job.extra) if job.extra else {}
    cells = [*_own(job, file), *(extra.get(name) for name in extra_names)]
    return [safe(cell) if isinstance(cell, str) else cell for cell in cells]


def safe(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text) else text


def _unlike_ours(name: str) -> str:
    return f"{name} (sheet)" if name.casefold() in COLUMNS else name


def _own(job: Outcome, file: str | None) -> tuple[object, ...]:
    spoken = job.status == JobStatus.SUCCEEDED
    return (
        job.custom_id,
        job.line,
        job.status,
        file if spoken else None,
        job.sha256 if spoken else None,
        job.audio_bytes if spoken else None,
        job.duration_ms if spoken else None,
        job.model,
        _amount(job.cost),
        "yes" if job.cached else "no",
        job.code,
        job.id,
    )


def _about(job: Outcome) -> dict[str, Any]:
    return {
        "id": str(job.id),
        "custom_id": job.custom_id,
        "line": job.line,
        "status": str(job.status),
        "tags": job.tags.strip(",").split(",") if job.tags else [],
        "model": job.model,
        "voice_1": job.voice_1,
        "voice_2": job.voice_2,
        "attempts": job.attempt,
        "cost": _amount(job.cost),
        "cached": job.cached,
        "finished_at": _stamp(job.finished_at),
    }


def _amount(dollars: Decimal) -> str:
    return f"{dollars.normalize():f}" if dollars else "0"


def _stamp(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _line(fields: dict[str, Any]) -> str:
    return _ENCODER.encode(fields) + "\n"
