"""A batch with the same destination as earlier ones takes over their names: jobs still queued under them are cancelled.

With two owners of one name, the last one spoken would win. Earlier jobs that may have been paid for (running, or to be
recovered) finish: their audio never replaces a later job's, and the later job copies it if the text is the same.

A batch without a destination of its own has no rivals: keys in a shared store name the batch or the job, which
`checked_template` requires.

Weakness: two batches submitted at the same moment do not see each other. Both are spoken, and the rule of
`worker.artifacts.ownership` keeps the files of the later one.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from api_models.formats import AudioFormat
from api_models.key_templates import FLAT_TEMPLATE, names_cells
from worker.artifacts.addresses import path_of
from worker.artifacts.keys import NO_CELLS, cells_of, object_key
from worker.intake.validation import Row
from worker.store.batches import BatchRecord
from worker.store.queries import rivals
from worker.store.queries.rivals import Name
from worker.store.transitions import actions

JOBS_PER_STATEMENT: Final = 1_000
_OWN: Final = ("{batch}", "{id}")
"""Placeholders that make a name unique to its batch."""


def supersede(
    connection: Connection, batch: BatchRecord, key_template: str | None, rows: Iterable[Row], *, now: datetime
) -> int:
    """Cancel queued jobs of earlier batches under this batch's names. Returns their number."""
    template = key_template or FLAT_TEMPLATE
    if batch.output_url is None or any(field in template for field in _OWN):
        return 0
    root = _root(batch.output_url)
    queued = _queued(connection, batch.id, root)
    if not queued:
        return 0
    superseded: list[UUID] = []
    for row in rows:
        name = _name(batch, row)
        if job_id := queued.pop(_address(root, template, name, batch.id), None):
            superseded.append(job_id)
    for start in range(0, len(superseded), JOBS_PER_STATEMENT):
        which = actions.these(superseded[start : start + JOBS_PER_STATEMENT])
        message = f"Batch {batch.id} was submitted later for the same file."
        actions.cancel(connection, which, now=now, code=rivals.SUPERSEDED, message=message)
    return len(superseded)


def _queued(connection: Connection, batch_id: UUID, root: str) -> dict[str, UUID]:
    """Return unpaid jobs of other batches by object key, for destinations that may overlap with this one."""
    found: dict[str, UUID] = {}
    for place in rivals.destinations(connection, but=batch_id):
        other_root, template = _root(place.url), place.key_template or FLAT_TEMPLATE
        if not (f"{other_root}/".startswith(f"{root}/") or f"{root}/".startswith(f"{other_root}/")):
            continue
        for job in rivals.unbought(connection, place.batch_id, with_cells=names_cells(template)):
            found[_address(other_root, template, job, place.batch_id)] = job.id
    return found


def _name(batch: BatchRecord, row: Row) -> Name:
    it = row.request
    return Name(
        batch.id,
        batch.tenant,
        it.custom_id,
        it.model,
        it.format,
        row.line,
        it.text,
        it.voice_1,
        it.voice_2,
        row.extra,
    )


def _root(url: str) -> str:
    path = path_of(url)
    return url.rstrip("/") if path is None else str(path.resolve()).rstrip("/")


def _address(root: str, template: str, name: Name, batch_id: UUID) -> str:
    key = object_key(
        template,
        tenant=name.tenant,
        batch=str(batch_id),
        custom_id=name.custom_id,
        job=str(name.id),
        model=name.model,
        ext=AudioFormat(name.audio_format or AudioFormat.WAV).extension,
        line=name.line,
        cells=_cells(name) if names_cells(template) else NO_CELLS,
    )
    return f"{root}/{key}"


def _cells(name: Name) -> dict[str, str | None]:
    return cells_of(name.text, name.voice_1, name.voice_2, name.extra)
