"""One job and its attempts, as text and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from rich.text import Text

from api_models.status import IN_FLIGHT, JobStatus
from api_models.verdict import VerdictKind
from api_models.wording import original_text
from worker.cli.console.format import cut, duration, money, one_line, short
from worker.cli.snapshot import amount, stamp
from worker.store.queries.jobs import AttemptRecord, JobRecord

STYLES: Final = {
    JobStatus.SUCCEEDED: "green",
    JobStatus.FAILED: "red",
    JobStatus.EXPIRED: "red",
    JobStatus.CANCELLED: "yellow",
}
TAKES: Final = {VerdictKind.BAD_TAKE: "bad take", VerdictKind.LATE: "late take"}
"""Labels of audio that an attempt kept besides the job's own."""
TEXT_CHARACTERS: Final = 40
NAME_COLUMNS: Final = 24
MIN_REMARK_COLUMNS: Final = 30


def as_data(job: JobRecord) -> dict[str, Any]:
    """Return the job as JSON. The keys are a stable interface."""
    return {
        "id": str(job.id),
        "custom_id": job.custom_id,
        "batch": None if job.batch_id is None else str(job.batch_id),
        "model": job.model,
        "status": str(job.status),
        "attempt": job.attempt,
        "code": job.code,
        "message": job.message,
        "cost": amount(job.cost),
        "uri": job.uri,
        "duration_ms": job.duration_ms,
        "created_at": stamp(job.created_at),
        "started_at": stamp(job.started_at),
        "finished_at": stamp(job.finished_at),
    }


def in_full(job: JobRecord, attempts: Sequence[AttemptRecord], address: str | None = None) -> dict[str, Any]:
    """Return the job with its attempts as JSON. `address` is its audio's public address."""
    more = {
        "line": job.line,
        "text": original_text(job.text, job.wording),
        "spoken_text": job.text if job.wording else None,
        "voice_1": job.voice_1,
        "voice_2": job.voice_2,
        "temperature": job.temperature,
        "detail": job.detail,
        "cached": job.cached,
        "audio_bytes": job.audio_bytes,
        "sha256": job.sha256,
        "peak_dbfs": job.peak_dbfs,
        "loudness_lufs": job.loudness_lufs,
        "silence_share": job.silence_share,
        "request_id": job.request_id,
        "not_before": stamp(job.not_before),
        "format": job.audio_format or "wav",
        "address": address,
        "removed_at": stamp(job.purged_at),
    }
    return as_data(job) | more | {"attempts": [_attempt_data(attempt) for attempt in attempts]}


def lines(jobs: Sequence[JobRecord], width: int | None) -> list[Text]:
    """Return one line per job, cut to `width` columns (None: uncut). On narrow terminals, errors get their own line."""
    name_columns = min(NAME_COLUMNS, max((len(job.custom_id or "") for job in jobs), default=0))
    found = [Text(f"{'ID':<36}  {'NAME':<{name_columns}}  {'STATUS':<10}  {'COST':>9}", style="dim")]
    for job in jobs:
        head = Text.assemble(
            f"{job.id}  {cut(job.custom_id or '', name_columns):<{name_columns}}  ",
            (f"{job.status:<10}", STYLES.get(job.status, "cyan" if job.status in IN_FLIGHT else "")),
            f"  {money(job.cost):>9}",
        )
        left = None if width is None else width - len(head.plain) - 2
        if left is None or left >= MIN_REMARK_COLUMNS:
            head.append(f"  {_remark(job) if left is None else cut(_remark(job), left)}")
            found.append(head)
            continue
        found.append(head)
        if job.code and job.status is not JobStatus.CANCELLED:
            found.append(Text(f"  {cut(_remark(job), (width or 80) - 2)}"))
    return found


def details(job: JobRecord, attempts: Sequence[AttemptRecord], address: str | None = None) -> list[Text]:
    voices = ", ".join(filter(None, (job.voice_1, job.voice_2))) or "the model's default"
    facts = [
        ("job", str(job.id)),
        ("name", job.custom_id),
        ("batch", None if job.batch_id is None else str(job.batch_id)),
        ("line", job.line),
        ("status", str(job.status)),
        ("error", f"{job.code}: {one_line(job.message or '')}" if job.code else None),
        ("detail", job.detail and one_line(job.detail)),
        ("model", job.model),
        ("voices", voices),
        ("temperature", job.temperature),
        ("text", one_line(original_text(job.text, job.wording)) or None),
        ("spoken", one_line(job.text) if job.wording else None),
        ("cost", money(job.cost) + (" (copied from earlier audio)" if job.cached else "")),
        ("removed", stamp(job.purged_at)),
        ("audio", None if job.purged_at else job.uri),
        ("address", address),
        ("measured", _measured(job)),
        ("sha256", job.sha256),
        ("not before", stamp(job.not_before)),
        ("created", stamp(job.created_at)),
        ("started", stamp(job.started_at)),
        ("finished", stamp(job.finished_at)),
        ("request", job.request_id),
        ("attempts", f"{job.attempt} ({job.attempts_used} counted)"),
    ]
    lines = [_fact(name, value) for name, value in facts if value is not None]
    return lines + [line for attempt in attempts for line in _attempt_lines(attempt)]


def _measured(job: JobRecord) -> str | None:
    parts = [
        None if job.duration_ms is None else duration(job.duration_ms / 1000),
        None if job.peak_dbfs is None else f"peak {job.peak_dbfs:.1f} dBFS",
        None if job.loudness_lufs is None else f"loudness {job.loudness_lufs:.1f} LUFS",
        None if job.silence_share is None else f"{job.silence_share:.0%} silence",
    ]
    return ", ".join(filter(None, parts)) or None


def _fact(name: str, value: object) -> Text:
    return Text.assemble((name.ljust(13), "dim"), str(value))


def _remark(job: JobRecord) -> str:
    if job.code:
        return f"{job.code}: {one_line(job.message or '')}"
    if job.status is JobStatus.SUCCEEDED and job.uri:
        return job.uri
    batch = "" if job.batch_id is None else f"{short(job.batch_id)} "
    return f"{batch}{cut(job.text, TEXT_CHARACTERS)}"


def _attempt_data(attempt: AttemptRecord) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "verdict": str(attempt.verdict),
        "code": attempt.code,
        "message": attempt.message,
        "detail": attempt.detail,
        "cost": amount(attempt.cost),
        "cost_estimated": attempt.cost_estimated,
        "possibly_billed": attempt.possibly_billed,
        "request_id": attempt.request_id,
        "take_uri": attempt.take_uri,
        "started_at": stamp(attempt.started_at),
        "finished_at": stamp(attempt.finished_at),
    }


def _attempt_lines(attempt: AttemptRecord) -> list[Text]:
    elapsed = duration((attempt.finished_at - attempt.started_at).total_seconds())
    billed = ", possibly billed" if attempt.possibly_billed else ""
    estimated = " (estimated)" if attempt.cost_estimated else ""
    code = f" {attempt.code}" if attempt.code else ""
    head = f"{attempt.verdict}{code}, {money(attempt.cost)}{estimated}{billed}, {elapsed}"
    lines = [_fact(f"attempt {attempt.number}", head)]
    take = TAKES.get(VerdictKind(attempt.verdict), "take")
    more = (
        ("message", attempt.message),
        ("detail", attempt.detail),
        ("request", attempt.request_id),
        (take, attempt.take_uri),
    )
    return lines + [_fact(f"  {name}", one_line(value)) for name, value in more if value]
