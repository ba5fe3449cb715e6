"""Rows that were judged, kept to be gone through again: in memory while they are few, beyond that in a temporary file.

Whoever must know that a whole input is sound before its first row is used would otherwise hold it all, or judge twice.
"""

from __future__ import annotations

import hashlib
import json
import weakref
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime
from operator import itemgetter
from tempfile import TemporaryFile
from typing import IO, Any, Final

from api_models.formats import AudioFormat
from api_models.speech import JobRequest
from worker.intake.judging import Row
from worker.intake.plainly import made

ROWS_A_PIECE: Final = 1_000
ROWS_IN_MEMORY: Final = 20_000

MOST_KINDS: Final = 10_000
"""Sets of values beside name and text that are kept in memory. Most sheets have few; in others each row has its own."""

_OWN: Final = ("text", "custom_id")
_REST: Final = tuple(name for name in JobRequest.model_fields if name not in _OWN)
_rest_of: Final = itemgetter(*_REST)
_IN_ORDER: Final = dict.fromkeys(JobRequest.model_fields)
_ALL: Final = frozenset(JobRequest.model_fields)
_FROM_JSON: Final[dict[str, Callable[[Any], Any]]] = {
    "not_before": datetime.fromisoformat,
    "deadline": datetime.fromisoformat,
    "tags": tuple,
    "format": AudioFormat,
}
"""What JSON has no word for, and how it is made again. The rest comes back as it went."""

_Filed = tuple[int, str, str | None, int | dict[str, Any]]
"""Line, text, name, and the rest: by its number, or written out."""


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
        self._kinds: dict[tuple[Any, ...], int] = {}
        self._by_number: list[dict[str, Any]] = []

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
                piece: list[_Filed] = json.loads(self._file.readline())
                place = self._file.tell()
                for line, text, name, kind in piece:
                    rest = self._by_number[kind] if isinstance(kind, int) else _read(kind)
                    yield Row(line, made({**rest, "text": text, "custom_id": name}, _ALL))
        yield from self._rows

    def _to_file(self) -> None:
        if self._file is None:
            self._file = TemporaryFile(prefix="ttsq-rows-")  # noqa: SIM115 - it is closed when the spool goes
            weakref.finalize(self, self._file.close)
        self._file.seek(self._end)
        piece: list[_Filed] = [
            (row.line, row.request.text, row.request.custom_id, self._kind(row.request)) for row in self._rows
        ]
        self._file.write(json.dumps(piece, default=datetime.isoformat).encode() + b"\n")
        self._end = self._file.tell()
        self._filed += len(piece)
        self._rows.clear()

    def _kind(self, request: JobRequest) -> int | dict[str, Any]:
        rest = _rest_of(request.__dict__)
        number = self._kinds.get(rest)
        if number is not None:
            return number
        values = _IN_ORDER | dict(zip(_REST, rest, strict=True))
        if len(self._kinds) >= MOST_KINDS:
            return values
        self._kinds[rest] = number = len(self._by_number)
        self._by_number.append(values)
        return number


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


def _read(values: dict[str, Any]) -> dict[str, Any]:
    for name, make in _FROM_JSON.items():
        if values[name] is not None:
            values[name] = make(values[name])
    return values
