"""Many new jobs as columns: what `job_row` says of each, said once for all that are alike. Writes nothing."""

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
"""What two jobs of one kind differ in."""
EXTRA: Final = "extra"
"""So do they in this, where a sheet has columns of its own."""


@dataclass(frozen=True, slots=True)
class RowTemplate:
    """What the jobs of one kind have in common."""

    row: dict[str, Any]
    """Every column that isn't their own."""
    around: tuple[str, str]
    """What a fingerprint is taken of, before and after the text."""


def cast(
    pieces: Iterable[RowBlock], row: Callable[[JobRequest], dict[str, Any]], *, origin: str, carries: bool = False
) -> Iterator[ColumnBlock]:
    """The jobs of all pieces. `row` makes one of a request; `origin` is the one that fingerprints are made with.

    `carries` says that some row of them holds anything beside its fields.
    """
    mould = partial(_mould, row=row, origin=origin, own=(*OWN, EXTRA) if carries else OWN)
    for piece in pieces:
        moulds = piece.each(mould)
        own: dict[str, Sequence[object]] = {
            "id": [uuid_utils.uuid7().hex for _ in moulds],  # as `new_id` makes them, in the order of the rows
            "custom_id": piece.names,
            "line": piece.lines,
            "text": piece.texts,
            "fingerprint": _fingerprints(piece, moulds),
        }
        if carries:
            own[EXTRA] = piece.extras or [None] * len(piece)
        yield ColumnBlock(own, [mould.row for mould in moulds])


def _mould(
    like: JobRequest, *, row: Callable[[JobRequest], dict[str, Any]], origin: str, own: Collection[str]
) -> RowTemplate:
    common = {column: value for column, value in row(like).items() if column not in own}
    return RowTemplate(common, like.around_text(origin=origin, audio_format=like.form))


def _fingerprints(piece: RowBlock, moulds: list[RowTemplate]) -> list[str]:
    """As `JobRequest.fingerprint` makes them."""
    texts = map(encode_basestring, piece.texts)
    prints = [
        sha256(f"{mould.around[0]}{text}{mould.around[1]}".encode()).hexdigest()
        for mould, text in zip(moulds, texts, strict=True)
    ]
    if not any(piece.each(attrgetter("variant"))):
        return prints
    return [like.of_variant(plain) for like, plain in zip(piece.column_block, prints, strict=True)]
