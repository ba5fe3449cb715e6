"""User files that a run would overwrite; found before anything is bought."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final
from uuid import UUID

from api_models.formats import AudioFormat
from api_models.key_templates import FLAT_TEMPLATE, names_cells
from worker.artifacts.folder.store import FolderStore
from worker.artifacts.keys import NO_CELLS, cells_of, object_key
from worker.artifacts.ownership import BATCH, JOB, REPLACEABLE, standing
from worker.cli.console.errors import CliError
from worker.cli.console.format import number
from worker.intake.validation import Row
from worker.producer import DEFAULT_TENANT

_LATEST: Final = {JOB: str(UUID(int=2**128 - 1)), BATCH: str(UUID(int=2**128 - 1))}
"""Metadata of a job submitted later than any other."""
_UNIQUE: Final = ("{batch}", "{id}")
"""Template fields that make a name unique."""


class NameClashError(CliError):
    def __init__(self, first: str, count: int, *, agreed: bool) -> None:
        what = "no plain file and cannot be overwritten" if agreed else "not created by ttsq"
        others = f", and so {'is' if count == 2 else 'are'} {number(count - 1, 'other file')}" if count > 1 else ""
        remedy = "move them away" if agreed else "choose another --out, or add --overwrite to replace them"
        super().__init__(f"{first} is {what}{others}; nothing was queued or charged", remedy)


def refuse(
    folder: Path, rows: Iterable[Row], *, template: str | None, overwrite: bool, but: Collection[str] = ()
) -> None:
    """Check every name that the rows may get in a folder, except `but`.

    With `overwrite`, existing plain files are marked as replaceable. Raises NameClashError: a name is taken;
    ArtifactsError: the folder cannot be read.
    """
    template = template or FLAT_TEMPLATE
    if any(field in template for field in _UNIQUE):
        return
    store, spared = FolderStore(folder.absolute()), set(but)
    taken = [key for row in rows if (key := _key(row, template)) not in spared and _is_foreign(store, key)]
    blocked = [key for key in taken if not store.adopt(key)] if overwrite else taken
    if blocked:
        raise NameClashError(str(folder / blocked[0]), len(blocked), agreed=overwrite)


def _key(row: Row, template: str) -> str:
    request = row.request
    ext = AudioFormat(request.format).extension
    return object_key(
        template,
        tenant=DEFAULT_TENANT,
        batch="-",
        custom_id=request.custom_id,
        job=str(row.line),
        model=request.model,
        ext=ext,
        line=row.line,
        cells=_cells(row) if names_cells(template) else NO_CELLS,
    )


def _cells(row: Row) -> dict[str, str | None]:
    request = row.request
    return cells_of(request.text, request.voice_1, request.voice_2, row.extra)


def _is_foreign(store: FolderStore, key: str) -> bool:
    return standing(store.occupant(key), _LATEST, None) not in REPLACEABLE
