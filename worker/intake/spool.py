"""Rows that were judged, kept to be gone through again: in memory while they are few, beyond that in a temporary file.

Whoever must know that a whole input is sound before its first row is used would otherwise hold it all, or judge twice.
"""

from __future__ import annotations

import hashlib
import json
import weakref
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime
from tempfile import TemporaryFile
from typing import IO, Any, Final

from api_models.formats import AudioFormat
from api_models.speech import JobRequest
from worker.intake.judging import Row
from worker.intake.plainly import made

ROWS_A_PIECE: Final = 1_000
ROWS_IN_MEMORY: Final = 20_000

_FIELDS: Final = tuple(JobRequest.model_fields)
_ALL: Final = frozenset(_FIELDS)
_FROM_JSON: Final[dict[str, Callable[[Any], Any]]] = {
    "not_before": datetime.fromisoformat,
    "deadline": datetime.fromisoformat,
    "tags": tuple,
    "format": AudioFormat,
}
"""What JSON has no word for, and how it is made again. The rest comes back as it went."""
_MAKERS: Final = tuple((place, _FROM_JSON[name]) for place, name in enumerate(_FIELDS) if name in _FROM_JSON)


class Spool(Collection[Row]):
    """Filled once with `put`, then read as often as need be. The file goes when the spool does."""

    def __init__(self) -> None:
        """Nothing is kept yet."""
        self._digest = hashlib.sha256()
        self._rows: list[Row] = []
        self._file: IO[bytes] | None = None
        self._filed = 0
        self._end = 0
        """Of the file, in bytes."""

    def put(self, row: Row) -> None:
        """Keep one more."""
        self._digest.update(_mark(row))
        self._rows.append(row)
        if len(self._rows) >= (ROWS_A_PIECE if self._file else ROWS_IN_MEMORY):
            self._to_file()

    @property
    def contents(self) -> str:
        """What `contents` says of these rows, without going through them again."""
        return self._digest.hexdigest()

    def __len__(self) -> int:
        return self._filed + len(self._rows)

    def __contains__(self, row: object) -> bool:
        return any(row == one for one in self)

    def __iter__(self) -> Iterator[Row]:
        if self._file is not None:
            place = 0
            while place < self._end:
                self._file.seek(place)  # somebody else may have read on from another place
                piece: list[tuple[int, list[Any]]] = json.loads(self._file.readline())
                place = self._file.tell()
                for line, values in piece:
                    yield Row(line, _request(values))
        yield from self._rows

    def _to_file(self) -> None:
        if self._file is None:
            self._file = TemporaryFile(prefix="ttsq-rows-")  # noqa: SIM115 - it is closed when the spool goes
            weakref.finalize(self, self._file.close)
        self._file.seek(self._end)
        piece = [(row.line, list(row.request.__dict__.values())) for row in self._rows]
        self._file.write(json.dumps(piece, default=datetime.isoformat).encode() + b"\n")
        self._end = self._file.tell()
        self._filed += len(piece)
        self._rows.clear()


def contents(rows: Iterable[Row]) -> str:
    """What these rows ask for under which names, in their order: 64 hex digits of SHA-256."""
    if isinstance(rows, Spool):
        return rows.contents
    digest = hashlib.sha256()
    for row in rows:
        digest.update(_mark(row))
    return digest.hexdigest()


def _mark(row: Row) -> bytes:
    """A line of its own: neither a name nor JSON holds a line break."""
    content = row.request.content(origin="", audio_format=row.request.form)
    return f"{row.request.custom_id}\t{content}\n".encode()


def _request(values: list[Any]) -> JobRequest:
    for place, make in _MAKERS:
        if values[place] is not None:
            values[place] = make(values[place])
    return made(dict(zip(_FIELDS, values, strict=True)), _ALL)
