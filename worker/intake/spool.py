"""Stores validated rows for repeated reading: in memory up to a limit, then in a temporary file.

This way a whole input can be validated before its first row is used, without keeping it in memory.
"""

from __future__ import annotations

import hashlib
import json
import weakref
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime
from itertools import islice
from json.encoder import encode_basestring
from operator import itemgetter
from tempfile import TemporaryFile
from typing import IO, Any, Final

from api_models.formats import AudioFormat
from api_models.speech import JobRequest
from api_models.timings import Timings
from api_models.wording import Clean
from worker.intake.fast_rows import made
from worker.intake.row_block import RowBlock, block_of
from worker.intake.validation import Row

ROWS_PER_BLOCK: Final = 1_000
ROWS_IN_MEMORY: Final = 20_000

MAX_KINDS: Final = 10_000
"""Sets of values besides name and text kept in memory. Most sheets have few; in others each row has its own."""

_OWN: Final = ("text", "custom_id")
_REST: Final = tuple(name for name in JobRequest.model_fields if name not in _OWN)
_rest_of: Final = itemgetter(*_REST)
_IN_ORDER: Final[dict[str, Any]] = dict.fromkeys(JobRequest.model_fields) | {"text": ""}
_ALL: Final = frozenset(JobRequest.model_fields)
_FROM_JSON: Final[dict[str, Callable[[Any], Any]]] = {
    "not_before": datetime.fromisoformat,
    "deadline": datetime.fromisoformat,
    "tags": tuple,
    "format": AudioFormat,
    "clean": Clean,
    "timings": Timings,
}
"""Decoders for values that JSON cannot represent."""


class Spool(Collection[Row]):
    """Filled with `put` and `put_piece`, then read repeatedly. The temporary file is deleted with the spool."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._pieces: list[RowBlock] = []
        """Rows in memory; empty once they are in the file."""
        self._rows: list[Row] = []
        self._put = 0
        self._file: IO[bytes] | None = None
        self._end = 0
        """Size of the file in bytes."""
        self.carries = False
        """Whether a row has extra columns."""
        self._kinds: dict[tuple[Any, ...], int] = {}
        self._by_number: list[JobRequest] = []

    def put(self, row: Row) -> None:
        self._rows.append(row)
        if len(self._rows) >= ROWS_PER_BLOCK:
            self._gather()

    def put_piece(self, piece: RowBlock) -> None:
        self._gather()
        self._keep(piece)

    @property
    def contents(self) -> str:
        """The result of `contents`, without reading the rows again."""
        self._gather()
        return self._digest.hexdigest()

    def __len__(self) -> int:
        return self._put + len(self._rows)

    def __contains__(self, row: object) -> bool:
        return any(row == one for one in self)

    def __iter__(self) -> Iterator[Row]:
        for piece in self.pieces():
            yield from piece.rows()

    def pieces(self) -> Iterator[RowBlock]:
        """Yield the rows in order, in the blocks in which they were stored."""
        self._gather()
        place = 0
        while self._file is not None and place < self._end:
            self._file.seek(place)  # another process else may have read on from another place
            lines, names, texts, kinds, extras = json.loads(self._file.readline())
            place = self._file.tell()
            yield RowBlock(lines, names, texts, [self._alike(kind) for kind in kinds], extras)
        yield from self._pieces

    def _gather(self) -> None:
        if self._rows:
            self._keep(block_of(self._rows))
            self._rows.clear()

    def _keep(self, piece: RowBlock) -> None:
        self._digest.update(_marks(piece))
        self._pieces.append(piece)
        self._put += len(piece)
        self.carries = self.carries or piece.extras is not None
        if self._file is not None or self._put >= ROWS_IN_MEMORY:
            self._to_file()

    def _to_file(self) -> None:
        if self._file is None:
            self._file = TemporaryFile(prefix="ttsq-rows-")  # noqa: SIM115 - it is closed when the spool goes
            weakref.finalize(self, self._file.close)
        self._file.seek(self._end)
        for piece in self._pieces:
            columns = (piece.lines, piece.names, piece.texts, piece.each(self._kind), piece.extras)
            self._file.write(json.dumps(columns, default=datetime.isoformat).encode() + b"\n")
        self._end = self._file.tell()
        self._pieces.clear()

    def _kind(self, request: JobRequest) -> int | dict[str, Any]:
        """A request without text and name: its number, or its JSON."""
        rest = _rest_of(request.__dict__)
        kind = (*rest, str(request.temperature))  # 0.0 and -0.0 are equal, and two contents
        number = self._kinds.get(kind)
        if number is not None:
            return number
        values = _IN_ORDER | dict(zip(_REST, rest, strict=True))
        if len(self._kinds) >= MAX_KINDS:
            return values
        self._kinds[kind] = number = len(self._by_number)
        self._by_number.append(made(values, _ALL))
        return number

    def _alike(self, kind: int | dict[str, Any]) -> JobRequest:
        return self._by_number[kind] if isinstance(kind, int) else made(_read(kind), _ALL)


def contents(rows: Iterable[Row]) -> str:
    """SHA-256 over what the rows request under which names, as 64 hex digits."""
    if isinstance(rows, Spool):
        return rows.contents
    digest, source = hashlib.sha256(), iter(rows)
    while some := list(islice(source, ROWS_PER_BLOCK)):
        digest.update(_marks(block_of(some)))
    return digest.hexdigest()


def _marks(piece: RowBlock) -> bytes:
    """One line per row: neither names nor JSON contain line breaks."""
    around = piece.each(lambda like: like.around_text(origin="", audio_format=like.form))
    rows = zip(piece.names, around, map(encode_basestring, piece.texts), strict=True)
    marks = [f"{name}\t{before}{text}{after}\n" for name, (before, after), text in rows]
    tags = piece.each(lambda like: like.audio_tags.kept())
    if any(tags):
        marks = [mark + (f"\t\t{tag}\n" if tag else "") for mark, tag in zip(marks, tags, strict=True)]
    timed = piece.each(lambda like: like.timings)
    if any(level is not Timings.NONE for level in timed):
        marks = [f"{mark}\t\t\t{level}\n" for mark, level in zip(marks, timed, strict=True)]
    if any(proved := list(piece.each(lambda like: like.provenance))):
        marks = [mark + ("\t\t\t\tprovenance\n" if one else "") for mark, one in zip(marks, proved, strict=True)]
    layouts = piece.each(lambda like: like.layout)
    if any(layouts):
        marks = [
            mark + (f"\t\t\t\t\t{layout}\n" if layout else "") for mark, layout in zip(marks, layouts, strict=True)
        ]
    if piece.extras is not None:
        marks = [mark + (f"\t{extra}\n" if extra else "") for mark, extra in zip(marks, piece.extras, strict=True)]
    return "".join(marks).encode()


def _read(values: dict[str, Any]) -> dict[str, Any]:
    for name, make in _FROM_JSON.items():
        if values[name] is not None:
            values[name] = make(values[name])
    return values
