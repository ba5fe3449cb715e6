"""Unfinished jobs of earlier batches that would write to the same objects as a later batch. Read-only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, select
from sqlalchemy.orm import InstrumentedAttribute

from api_models.status import JobStatus
from worker.store.states import IS_WHOLE, in_state
from worker.store.tables.jobs import Batch, Job

SUPERSEDED: Final = "superseded"
"""The code of a job whose object name a later batch has taken over."""
_WAITING: Final = in_state(JobStatus.SCHEDULED, JobStatus.QUEUED, JobStatus.DISPATCHED)
_NAMES: Final = (Job.id, Job.tenant, Job.custom_id, Job.model, Job.audio_format)
_CELLS: Final = (Job.line, Job.text, Job.voice_1, Job.voice_2, Job.extra)


@dataclass(frozen=True, slots=True)
class Destination:
    batch_id: UUID
    url: str
    key_template: str | None


@dataclass(frozen=True, slots=True)
class Name:
    id: UUID
    tenant: str
    custom_id: str | None
    model: str
    audio_format: str | None
    line: int | None = None
    text: str | None = None
    voice_1: str | None = None
    voice_2: str | None = None
    extra: str | None = None


def destinations(connection: Connection, *, but: UUID) -> list[Destination]:
    query = select(Batch.id, Batch.output_url, Batch.key_template).where(
        Batch.finished_at.is_(None), Batch.output_url.is_not(None), Batch.id != but
    )
    rows = connection.execute(query)
    return [Destination(row.id, row.output_url, row.key_template) for row in rows if row.output_url is not None]


def unbought(connection: Connection, batch_id: UUID, *, with_cells: bool = False) -> Iterator[Name]:
    """Yield a batch's unstarted jobs for which no call can have been paid; with their texts only `with_cells`."""
    columns: tuple[InstrumentedAttribute[Any], ...] = (*_NAMES, *_CELLS) if with_cells else _NAMES
    waiting = Job.batch_id == batch_id, IS_WHOLE, _WAITING, ~Job.recover, Job.request_id.is_(None)
    for row in connection.execute(select(*columns).where(*waiting)):
        yield Name(*row)


def is_superseded(connection: Connection, batch_id: UUID) -> bool:
    """Whether a later batch has taken over any of its names before they were spoken."""
    query = select(Job.id).where(Job.batch_id == batch_id, in_state(JobStatus.CANCELLED), Job.code == SUPERSEDED)
    return connection.execute(query.limit(1)).first() is not None
