"""A batch that goes to the same place as earlier ones takes over their names: what still waits under them is cancelled.

With two owners of one name, the last to be spoken would win. What an earlier batch may have paid for (running, or to be
recovered) is finished: its audio never replaces a later job's, and the later job copies it where the text is the same.

Weakness: of two batches that are submitted in the same moment neither sees the other. Both are spoken, and the rule of
`worker.artifacts.ownership` leaves the later one's files.
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
from worker.artifacts.keys import object_key
from worker.intake.validation import Row
from worker.store.batches import BatchRecord
from worker.store.queries import rivals
from worker.store.queries.rivals import Name
from worker.store.transitions import actions

JOBS_PER_STATEMENT: Final = 1_000
_OWN: Final = ("{batch}", "{id}")
"""What makes a name its batch's alone."""


def supersede(
    connection: Connection, batch: BatchRecord, key_template: str | None, rows: Iterable[Row], *, now: datetime
) -> int:
    """Cancel what earlier batches have waiting under this batch's names. Returns how many jobs that was."""
    template = key_template or FLAT_TEMPLATE
    if batch.output_url is None or any(field in template for field in _OWN) or names_cells(template):
        return 0
    root = _root(batch.output_url)
    waiting = _waiting(connection, batch.id, root)
    if not waiting:
        return 0
    taken: list[UUID] = []
    for row in rows:
        name = Name(batch.id, batch.tenant, row.request.custom_id, row.request.model, row.request.format)
        if job_id := waiting.pop(_address(root, template, name, batch.id), None):
            taken.append(job_id)
    for start in range(0, len(taken), JOBS_PER_STATEMENT):
        which = actions.these(taken[start : start + JOBS_PER_STATEMENT])
        message = f"Batch {batch.id} was submitted later for the same file."
        actions.cancel(connection, which, now=now, code=rivals.SUPERSEDED, message=message)
    return len(taken)


def _waiting(connection: Connection, batch_id: UUID, root: str) -> dict[str, UUID]:
    """Unpaid jobs of other batches, by where their audio would lie; of places that may overlap with this one."""
    found: dict[str, UUID] = {}
    for place in rivals.destinations(connection, but=batch_id):
        theirs, template = _root(place.url), place.key_template or FLAT_TEMPLATE
        if names_cells(template) or not (f"{theirs}/".startswith(f"{root}/") or f"{root}/".startswith(f"{theirs}/")):
            continue
        for job in rivals.unbought(connection, place.batch_id):
            found[_address(theirs, template, job, place.batch_id)] = job.id
    return found


def _root(url: str) -> str:
    """One spelling for each place, however its address is written."""
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
    )
    return f"{root}/{key}"
