"""Scripts as sheets: a column of speakers and one of texts (CSV, TSV, .xlsx, .ods)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import IO, Final, NamedTuple

from worker.intake.column_names import names_text
from worker.intake.header import split_header
from worker.intake.opendocument import CONTENT as OPEN_DOCUMENT
from worker.intake.opendocument import OpenDocument
from worker.intake.source import UnreadableError
from worker.intake.xlsx.book import ExcelBook
from worker.intake.xlsx.package import MAX_UNPACKED_OVER_HTTP_BYTES, Package
from worker.scripts.readers.builder import ScriptBuilder
from worker.scripts.script import folded

_SPEAKERS: Final = frozenset(
    (
        *("speaker", "speakers", "character", "characters", "role", "actor", "name", "who", "person", "voice", "part"),
        *("sprecher", "sprecherin", "rolle", "figur", "personnage", "locuteur", "rôle", "personaje", "hablante"),
        *("personagem", "falante", "personaggio", "spreker", "postać", "mówca", "персонаж", "роль", "диктор"),
        *("話者", "役", "キャラクター", "人物", "角色", "说话人", "화자", "인물"),
    )
)
_DIRECTIONS: Final = frozenset(
    ("direction", "directions", "note", "notes", "style", "emotion", "manner", "delivery", "regie", "regieanweisung")
)
_PAUSES: Final = frozenset(("pause", "pause before", "pause (s)", "seconds before"))
_SCENES: Final = frozenset(("scene", "act", "szene", "scène", "escena", "cena", "scena"))
_TWO: Final = 2


class _Columns(NamedTuple):
    speaker: int
    text: int
    direction: int | None = None
    pause: int | None = None
    scene: int | None = None


class Numbered(NamedTuple):
    number: int
    cells: Sequence[str]


def read_csv(source: str, builder: ScriptBuilder) -> None:
    first = next((line for line in source.split("\n") if line.strip()), "")
    delimiter = "\t" if "\t" in first else split_header(first).delimiter
    reader = csv.reader(io.StringIO(source, newline=""), delimiter=delimiter)
    try:
        _read((Numbered(reader.line_num, cells) for cells in reader), builder)
    except csv.Error as error:
        builder.fault(reader.line_num, "", f"can't be read: {error}; close every quote mark")


def read_workbook(stream: IO[bytes], builder: ScriptBuilder) -> None:
    """Read the first visible sheet with rows."""
    try:
        package = Package(stream, MAX_UNPACKED_OVER_HTTP_BYTES)
        book = OpenDocument(package) if OPEN_DOCUMENT in package else ExcelBook(package)
        for sheet in book.sheets:
            if sheet.part and not sheet.hidden:
                rows = [Numbered(row.number, row.cells) for row in book.rows(sheet)]
                if rows:
                    _read(iter(rows), builder)
                    return
    except UnreadableError as error:
        builder.add(error.fault)


def _read(rows: Iterator[Numbered], builder: ScriptBuilder) -> None:
    filled = (row for row in rows if any(map(str.strip, row.cells)))
    first = next(filled, None)
    if first is None:
        return
    columns = _columns(first.cells)
    if columns is None:
        if len([cell for cell in first.cells if cell.strip()]) != _TWO or len(first.cells) < _TWO:
            builder.fault(first.number, "", "names no columns speaker and text; name them in the first row")
            return
        columns = _Columns(0, 1)
        _row(first, columns, builder)
    scene = ""
    for row in filled:
        if columns.scene is not None and (title := _cell(row, columns.scene)) not in ("", scene):
            scene = title
            builder.scene(title)
        _row(row, columns, builder)


def _columns(cells: Sequence[str]) -> _Columns | None:
    names = [folded(cell) for cell in cells]
    speaker = next((index for index, name in enumerate(names) if name in _SPEAKERS), None)
    text = next((index for index, name in enumerate(names) if index != speaker and names_text(name) > 0), None)
    if speaker is None or text is None:
        return None
    others = (
        next((index for index, name in enumerate(names) if index not in (speaker, text) and name in known), None)
        for known in (_DIRECTIONS, _PAUSES, _SCENES)
    )
    return _Columns(speaker, text, *others)


def _cell(row: Numbered, column: int | None) -> str:
    return row.cells[column].strip() if column is not None and column < len(row.cells) else ""


def _row(row: Numbered, columns: _Columns, builder: ScriptBuilder) -> None:
    pause = _pause(row, columns, builder)
    direction = _cell(row, columns.direction)
    builder.turn(_cell(row, columns.speaker), _cell(row, columns.text), row.number, direction=direction, pause=pause)


def _pause(row: Numbered, columns: _Columns, builder: ScriptBuilder) -> float | None:
    written = _cell(row, columns.pause)
    if not written:
        return None
    try:
        seconds = float(written.replace(",", "."))
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 60:
        builder.fault(row.number, "pause", "needs seconds from 0 to 60, such as 1.5")
        return None
    return seconds
