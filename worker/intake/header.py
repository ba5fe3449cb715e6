"""The header row of a sheet: delimiter, columns, and faults."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from api_models.hints import closest, printable, quoted
from api_models.problems import Fault
from worker.intake.column_names import FIELDS, NAME, SHARED, TEXT, names_text, resolve
from worker.intake.sheet_options import AS_IT_IS, SheetOptions

__all__ = ["DELIMITERS", "FIELDS", "NAME", "TEXT", "Header", "WholeFault", "header_faults", "split_header"]

DELIMITERS: Final = ",;\t|"
"""Spreadsheets write semicolons where the comma is the decimal separator."""
CELLS: Final = ""
"""Used in place of a delimiter if rows arrive as cells."""

MAX_COLUMNS: Final = 1_000

_EXAMPLE: Final = "the first line must name the columns, such as custom_id,text,voice_1"
_SHOWN_COLUMNS: Final = 12
_SEPARATOR: Final = re.compile(r"sep=(.)", re.IGNORECASE)
"""Excel's line that names the delimiter."""


class WholeFault(Fault):
    """A fault of the input as a whole: none of its rows may be used."""


@dataclass(frozen=True, slots=True)
class Header:
    """Column names, stripped."""

    columns: tuple[str, ...]
    delimiter: str
    fields: tuple[str | None, ...] = ()
    problems: tuple[tuple[str | None, str], ...] = ()
    guessed: dict[str, str] = field(default_factory=dict)
    """Fields found by alias or other spelling, with the column's name."""

    @classmethod
    def of(cls, columns: Sequence[str], delimiter: str, options: SheetOptions, *, hints: bool = True) -> Header:
        if len(columns) > MAX_COLUMNS:
            return cls(tuple(columns), delimiter, (None,) * len(columns))
        found = resolve(columns, options, hints=hints)
        return cls(tuple(columns), delimiter, tuple(found.fields), tuple(found.problems), found.guessed)

    def known(self) -> tuple[str | None, ...]:
        return self.fields

    @property
    def has_text(self) -> bool:
        return TEXT in self.fields

    def field_of(self, column: str) -> str | None:
        names = dict(zip(self.columns, self.fields, strict=True))
        return names.get(column)

    def carried(self) -> list[tuple[int, str]]:
        """Index and unique label of each column for the manifest: those of no field, and those that may be both."""
        labels: dict[str, int] = {}
        found = []
        for index, (name, known) in enumerate(zip(self.columns, self.fields, strict=True)):
            if known is None or known in SHARED:
                label = name or f"column {index + 1}"
                labels[label] = count = labels.get(label, 0) + 1
                found.append((index, label if count == 1 else f"{label} ({count})"))
        return found


def split_header(line: str, delimiters: str = DELIMITERS, options: SheetOptions = AS_IT_IS) -> Header:
    """Split by the delimiter that yields the most known columns, or else by the most frequent one."""
    candidates = [Header.of(_cells(line, delimiter), delimiter, options) for delimiter in delimiters]
    return max(
        candidates,
        key=lambda header: (sum(name is not None for name in header.fields), line.count(header.delimiter)),
    )


def named_delimiter(line: str) -> str | None:
    """Return the delimiter named by a first line such as `sep=;`, or None."""
    found = _SEPARATOR.fullmatch(line.strip("\r\n ").strip('"'))
    return found[1] if found and not found[1].isalnum() and found[1] != '"' else None


def header_faults(
    header: Header, line: int, options: SheetOptions = AS_IT_IS, sample: Sequence[Sequence[str]] = ()
) -> Iterator[Fault]:
    """Faults of the header: too many columns, no text column, misspelt or duplicate columns.

    `sample` are some rows below it, by which a column of texts is suggested.
    """
    if len(header.columns) > MAX_COLUMNS:
        message = f"there are {len(header.columns):,} columns, more than the {MAX_COLUMNS:,} that a sheet may have"
        yield WholeFault(line=line, message=f"{message}; remove those that hold no texts")
        return
    if not header.has_text and options.text_column is None:
        yield WholeFault(line=line, field=TEXT, message=_missing_text(header, options, sample))
        if not any(header.fields):
            return  # the first row may be data: do not report its cells as misspelt columns
    for name, message in header.problems:
        yield WholeFault(line=line, field=None if name is None else printable(name), message=message)


def _cells(line: str, delimiter: str) -> tuple[str, ...]:
    try:
        cells = next(csv.reader(line.splitlines(keepends=True), delimiter=delimiter), [])
    except csv.Error:
        cells = [line]
    return trimmed(cells)


def trimmed(cells: Sequence[str]) -> tuple[str, ...]:
    names = [" ".join(cell.split()) for cell in cells]
    while names and not names[-1]:  # spreadsheets often end rows with delimiters
        names.pop()
    return tuple(names)


def _missing_text(header: Header, options: SheetOptions, sample: Sequence[Sequence[str]]) -> str:
    columns = header.columns[:_SHOWN_COLUMNS]
    found = ", ".join(quoted(name) for name in columns) or "none"
    found += ", …" if len(header.columns) > _SHOWN_COLUMNS else ""
    what = f"there is no column {quoted(TEXT)}; found {found}"
    if meant := closest(TEXT, columns):
        return f"{what}; rename {quoted(meant)} to {quoted(TEXT)}, or use {options.spelled('text-column', meant)}"
    free = [index for index, field in enumerate(header.fields) if header.columns[index] and field is None]
    if not free:
        return f"{what}; {_EXAMPLE}"
    likely = header.columns[max(free, key=lambda index: _likelihood(header.columns[index], index, sample))]
    return (
        f"{what}; {_EXAMPLE}; if it does, choose the column of texts, such as {options.spelled('text-column', likely)}"
    )


def _likelihood(name: str, index: int, sample: Sequence[Sequence[str]]) -> tuple[int, float]:
    """How likely a column holds the texts: by a word of its name, then by the length of its cells."""
    cells = [row[index] for row in sample if index < len(row)]
    words = sum(len(cell) for cell in cells if " " in cell.strip())
    return names_text(name), words / max(1, len(cells))
