"""Many new jobs as columns: values of `job_row` that are equal for all are computed once. Writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from json.encoder import encode_basestring
from operator import attrgetter
from typing import Any, Final

import uuid_utils

from api_models.speech import JobRequest
from worker.intake.row_block import RowBlock
from worker.store.writing.columns import ColumnBlock

OWN: Final = ("id", "custom_id", "line", "text", "fingerprint")
"""Columns that differ between jobs of one kind."""
EXTRA: Final = "extra"
"""Differs as well if a sheet has other columns."""


@dataclass(frozen=True, slots=True)
class RowTemplate:
    row: dict[str, Any]
    around: tuple[str, str]
    """The parts of the fingerprint's input before and after the text."""


def cast(
    pieces: Iterable[RowBlock], row: Callable[[JobRequest], dict[str, Any]], *, origin: str, carries: bool = False
) -> Iterator[ColumnBlock]:
    """Return the jobs of all pieces. `row` makes one from a request; `origin` is part of the fingerprints.

    `carries` says whether any row has columns beside its fields.
    """
    template = partial(_template, row=row, origin=origin, own=(*OWN, EXTRA) if carries else OWN)
    for piece in pieces:
        templates = piece.each(template)
        own: dict[str, Sequence[object]] = {
            "id": [uuid_utils.uuid7().hex for _ in templates],  # like `new_id`, in the order of the rows
            "custom_id": piece.names,
            "line": piece.lines,
            "text": piece.texts,
            "fingerprint": _fingerprints(piece, templates),
        }
        if carries:
            own[EXTRA] = piece.extras or [None] * len(piece)
        yield ColumnBlock(own, [template.row for template in templates])


def _template(
    like: JobRequest, *, row: Callable[[JobRequest], dict[str, Any]], origin: str, own: Collection[str]
) -> RowTemplate:
    common = {column: value for column, value in row(like).items() if column not in own}
    return RowTemplate(common, like.around_text(origin=origin, audio_format=like.form))


def _fingerprints(piece: RowBlock, templates: list[RowTemplate]) -> list[str]:
    """Equal to `JobRequest.fingerprint`."""
    texts = map(encode_basestring, piece.texts)
    prints = [
        sha256(f"{template.around[0]}{text}{template.around[1]}".encode()).hexdigest()
        for template, text in zip(templates, texts, strict=True)
    ]
    if not any(piece.each(attrgetter("variant"))):
        return prints
    return [like.of_variant(plain) for like, plain in zip(piece.column_block, prints, strict=True)]
