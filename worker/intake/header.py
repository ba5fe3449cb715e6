"""The header row of a sheet: what separates its cells, which columns it names, and what is wrong with them."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from api_models.hints import closest, did_you_mean, printable, quoted
from api_models.problems import Fault
from api_models.speech import JobRequest

TEXT: Final = "text"
"""The one column that a sheet can't do without."""

FIELDS: Final = tuple(JobRequest.model_fields)
"""Every column or key that a row may have."""

DELIMITERS: Final = ",;\t"
"""What may separate cells. Spreadsheets write semicolons where the comma is the decimal sign."""

_EXAMPLE: Final = "the first line must name the columns, such as custom_id,text,voice_1"
_SHOWN_COLUMNS: Final = 12


class WholeFault(Fault):
    """Something that is wrong with an input as a whole: to use its other rows would be to guess what was meant."""


@dataclass(frozen=True, slots=True)
class Header:
    """The names of the columns, as the file has them but for blanks around them."""

    columns: tuple[str, ...]
    delimiter: str

    def known(self) -> tuple[str | None, ...]:
        """Each column's field, or None where its cells have to be passed over: unknown or named twice."""
        return tuple(
            name if name in FIELDS and name not in self.columns[:index] else None
            for index, name in enumerate(self.columns)
        )


def split_header(line: str, delimiters: str = DELIMITERS) -> Header:
    """Split a header line by whichever delimiter finds the most known columns in it, or else is most frequent."""
    candidates = [Header(_cells(line, delimiter), delimiter) for delimiter in delimiters]
    return max(
        candidates, key=lambda header: (sum(name in FIELDS for name in header.columns), line.count(header.delimiter))
    )


def header_faults(header: Header, line: int) -> Iterator[Fault]:
    """Everything wrong with a header: no column of texts, unknown columns, columns named twice or not at all."""
    meant = None
    if TEXT not in header.columns:
        meant = closest(TEXT, header.columns)
        yield WholeFault(line=line, field=TEXT, message=_missing_text(header.columns, meant))
        if not any(header.known()):
            return  # the sheet has no header at all, and each of its cells would be called an unknown column
    for index, name in enumerate(header.columns):
        if not name:
            yield WholeFault(line=line, message=f"column {index + 1} has no name; name it or remove it")
        elif name in header.columns[:index]:
            first = header.columns.index(name) + 1
            yield WholeFault(
                line=line, field=printable(name), message=f"names columns {first} and {index + 1}; keep one of them"
            )
        elif name not in FIELDS and name != meant:
            yield WholeFault(line=line, field=printable(name), message=_unknown(name))


def _cells(line: str, delimiter: str) -> tuple[str, ...]:
    try:
        cells = next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        cells = [line]
    names = [cell.strip() for cell in cells]
    while names and not names[-1]:  # spreadsheets like to end every row with a few delimiters
        names.pop()
    return tuple(names)


def _missing_text(columns: Sequence[str], meant: str | None) -> str:
    found = ", ".join(quoted(name) for name in columns[:_SHOWN_COLUMNS])
    found = found or "none"
    found += ", …" if len(columns) > _SHOWN_COLUMNS else ""
    remedy = f"rename {quoted(meant)} to {quoted(TEXT)}" if meant else _EXAMPLE
    return f"there is no column {quoted(TEXT)}; found {found}; {remedy}"


def _unknown(name: str) -> str:
    hint = did_you_mean(name, FIELDS) or f"; remove it (known: {', '.join(FIELDS)})"
    return f"is not a known column{hint}"
