"""A row follows its object: where another take lies there than the one that was recorded, the row names that one."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection, update

from api_models.status import JobStatus
from worker.store.states import in_state
from worker.store.tables import Job
from worker.store.transitions.settling import StoredAudio


def restate(connection: Connection, job_id: UUID, audio: StoredAudio) -> bool:
    """Name this take in the row of a job that succeeded. False where it has no other one under this address."""
    return (
        connection.execute(
            update(Job)
            .where(Job.id == job_id, in_state(JobStatus.SUCCEEDED), Job.uri == audio.uri, Job.sha256 != audio.sha256)
            .values(
                content_type=audio.content_type,
                audio_bytes=audio.audio_bytes,
                sha256=audio.sha256,
                duration_ms=audio.duration_ms,
                peak_dbfs=audio.peak_dbfs,
                loudness_lufs=audio.loudness_lufs,
                silence_share=audio.silence_share,
            )
        ).rowcount
        > 0
    )
