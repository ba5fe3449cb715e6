"""A finished job's audio is replaced by another of its takes, as a listener chose."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, select, update

from api_models.status import JobStatus
from worker.store import takes
from worker.store.states import in_state
from worker.store.tables.jobs import Attempt, Job
from worker.store.takes import Mark, TakeRecord
from worker.store.transitions import claims, completion, documents, event_writer
from worker.store.transitions.claims import CLAIM_COLUMNS, Claim
from worker.store.transitions.settlement import StoredAudio

_CHOOSABLE: Final = in_state(JobStatus.SUCCEEDED, JobStatus.FAILED)


def finished(connection: Connection, job_id: UUID, *, now: datetime) -> Claim | None:
    """Return a finished job as its latest attempt had it; None unless it succeeded or failed and has its text."""
    row: Any = connection.execute(
        select(*CLAIM_COLUMNS).where(Job.id == job_id, _CHOOSABLE, Job.purged_at.is_(None), Job.parts.is_(None))
    ).one_or_none()
    return None if row is None else claims.claimed(row, job_id, now)


def keep_used(connection: Connection, job_id: UUID, number: int, uri: str) -> None:
    """Note where the take lies that was the job's audio until now."""
    which = (Attempt.job_id == job_id) & (Attempt.number == number)
    connection.execute(update(Attempt).where(which).values(take_uri=uri))


def use(connection: Connection, claim: Claim, take: TakeRecord, audio: StoredAudio, *, now: datetime) -> bool:
    """Make a stored take the audio of its job, which succeeds by it. Returns False if the job has changed meanwhile.

    Its batch is finished again, with new result files; a document is joined again.
    """
    if claim.batch_id is not None:
        completion.reopen(connection, {claim.batch_id})
    which = (Job.id == claim.job_id) & (Job.attempt == claim.attempt) & _CHOOSABLE & Job.purged_at.is_(None)
    cleared = dict.fromkeys(("code", "message", "detail", "purge_at", "not_before"))
    values = {"status": JobStatus.SUCCEEDED, "finished_at": now, "cached": False, **cleared, **asdict(audio)}
    if claim.parent is not None:
        values |= {"pinned": True}
    if not connection.execute(update(Job).where(which).values(**values)).rowcount:
        return False
    takes.mark(connection, take, Mark.GOOD)
    takes.use(connection, claim.job_id, take.number)
    if claim.parent is None:
        event_writer.ended(connection, [claim.job_id], now=now)
    else:
        documents.await_parts(connection, claim.parent)
    return True


def choose_part(connection: Connection, job_id: UUID, document: UUID, part: int) -> bool:
    """Let the document's recording use this job's take of a part, and keep it in later versions."""
    batch_id = connection.execute(select(Job.batch_id).where(Job.id == document)).scalar_one()
    if batch_id is not None:
        completion.reopen(connection, {batch_id})
    same = update(Job).where(Job.parent == document, Job.part == part)
    connection.execute(same.values(chosen=Job.id == job_id, pinned=Job.id == job_id))
    return documents.await_parts(connection, document)


def pin(connection: Connection, job_id: UUID, *, pinned: bool) -> bool:
    """Let later versions of the document keep a part's take. Returns False: it is no part that succeeded."""
    part = (Job.id == job_id) & Job.parent.is_not(None) & in_state(JobStatus.SUCCEEDED)
    return connection.execute(update(Job).where(part).values(pinned=pinned or None)).rowcount > 0
