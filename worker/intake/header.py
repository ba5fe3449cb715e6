"""The header row of a sheet: what separates its cells, which columns it names, and what is wrong with them."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from api_models.hints import closest, printable, quoted
from api_models.problems import Fault
from worker.intake.column_names import FIELDS, NAME, TEXT, resolve
from worker.intake.sheet_options import AS_IT_IS, SheetOptions

__all__ = ["DELIMITERS", "FIELDS", "NAME", "TEXT", "Header", "WholeFault", "header_faults", "split_header"]

DELIMITERS: Final = ",;\t|"
"""What may separate cells. Spreadsheets write semicolons where the comma is the decimal sign."""
CELLS: Final = ""
"""In place of a delimiter, where the cells of a row come as cells."""

MAX_COLUMNS: Final = 1_000

_EXAMPLE: Final = "the first line must name the columns, such as custom_id,text,voice_1"
_SHOWN_COLUMNS: Final = 12
_SEPARATOR: Final = re.compile(r"sep=(.)", re.IGNORECASE)
"""The line by which Excel is told what separates cells."""


class WholeFault(Fault):
    """Something that is wrong with an input as a whole: to use its other rows would be to guess what was meant."""


@dataclass(frozen=True, slots=True)
class Header:
    """The names of the columns, as the file has them but for blanks around them."""

    columns: tuple[str, ...]
    delimiter: str
    fields: tuple[str | None, ...] = ()
    """Each column's field, or None where its cells are only carried along."""
    problems: tuple[tuple[str | None, str], ...] = ()
    guessed: dict[str, str] = field(default_factory=dict)
    """Fields whose column isn't spelled like them, and what it is called."""

    @classmethod
    def of(cls, columns: Sequence[str], delimiter: str, options: SheetOptions) -> Header:
        """A header of these names."""
        if len(columns) > MAX_COLUMNS:
            return cls(tuple(columns), delimiter, (None,) * len(columns))
        found = resolve(columns, options)
        return cls(tuple(columns), delimiter, tuple(found.fields), tuple(found.problems), found.guessed)

    def known(self) -> tuple[str | None, ...]:
        """Each column's field, or None where its cells are only carried along."""
        return self.fields

    @property
    def has_text(self) -> bool:
        """Whether there is a column of texts."""
        return TEXT in self.fields

    def carried(self) -> list[tuple[int, str]]:
        """The columns that are no field: where each stands, and a name that no other has."""
        labels: dict[str, int] = {}
        found = []
        for index, (name, known) in enumerate(zip(self.columns, self.fields, strict=True)):
            if known is None:
                label = name or f"column {index + 1}"
                labels[label] = count = labels.get(label, 0) + 1
                found.append((index, label if count == 1 else f"{label} ({count})"))
        return found


def split_header(line: str, delimiters: str = DELIMITERS, options: SheetOptions = AS_IT_IS) -> Header:
    """Split a header line by whichever delimiter finds the most known columns in it, or else is most frequent."""
    candidates = [Header.of(_cells(line, delimiter), delimiter, options) for delimiter in delimiters]
    return max(
        candidates,
        key=lambda header: (sum(name is not None for name in header.fields), line.count(header.delimiter)),
    )


def named_delimiter(line: str) -> str | None:
    """The delimiter that a first line `sep=;` names; None for any other line."""
    found = _SEPARATOR.fullmatch(line.strip("\r\n ").strip('"'))
    return found[1] if found and not found[1].isalnum() and found[1] != '"' else None


def header_faults(header: Header, line: int, options: SheetOptions = AS_IT_IS) -> Iterator[Fault]:
    """Everything wrong with a header: too many columns, none of texts, columns misspelt or named twice."""
    if len(header.columns) > MAX_COLUMNS:
        message = f"there are {len(header.columns):,} columns, more than the {MAX_COLUMNS:,} that a sheet may have"
        yield WholeFault(line=line, message=f"{message}; remove those that hold no texts")
        return
    if not header.has_text and options.text_column is None:
        yield WholeFault(line=line, field=TEXT, message=_missing_text(header, options))
        if not any(header.fields):
            return  # the sheet may have no header at all, and its cells would be called misspelt columns
    for name, message in header.problems:
        yield WholeFault(line=line, field=None if name is None else printable(name), message=message)


def _cells(line: str, delimiter: str) -> tuple[str, ...]:
    try:
        cells = next(csv.reader(line.splitlines(keepends=True), delimiter=delimiter), [])
    except csv.Error:
        cells = [line]
    return trimmed(cells)


def trimmed(cells: Sequence[str]) -> tuple[str, ...]:
    """The names in a header row."""
    names = [" ".join(cell.split()) for cell in cells]
    while names and not names[-1]:  # spreadsheets like to end every row with a few delimiters
        names.pop()
    return tuple(names)


def _missing_text(header: Header, options: SheetOptions) -> str:
    columns = header.columns[:_SHOWN_COLUMNS]
    found = ", ".join(quoted(name) for name in columns) or "none"
    found += ", …" if len(header.columns) > _SHOWN_COLUMNS else ""
    what = f"there is no column {quoted(TEXT)}; found {found}"
    if meant := closest(TEXT, columns):
        return f"{what}; rename {quoted(meant)} to {quoted(TEXT)}, or use {options.spelled('text-column', meant)}"
    free = next((name for name, field in zip(columns, header.fields, strict=False) if name and field is None), None)
    if free is None:
        return f"{what}; {_EXAMPLE}"
    return f"{what}; {_EXAMPLE}; if it does, choose the column of texts, such as {options.spelled('text-column', free)}"
