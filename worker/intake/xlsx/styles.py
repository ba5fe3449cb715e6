"""Cell formats that show numbers as dates or times, and the conversion."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from worker.intake.xlsx.elements import walk
from worker.intake.xlsx.package import MAX_SMALL_PART_BYTES, Package

PART: Final = "xl/styles.xml"

_BUILT_IN: Final = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})
"""Built-in date formats (ECMA-376, part 1, 18.8.30)."""
_PERCENT: Final = frozenset({9, 10})
"""Built-in percentages."""
_NO_PART_OF_PER_DATE: Final = re.compile(r'"[^"]*"|\\.|\[(?!h+\]|m+\]|s+\])[^\]]*\]|_.|\*.', re.IGNORECASE)
_OF_PER_DATE: Final = re.compile(r"[dmyhs]", re.IGNORECASE)

_EPOCH_1900: Final = datetime(1899, 12, 30)  # noqa: DTZ001 - a cell has no time zone
_EPOCH_1904: Final = datetime(1904, 1, 1)  # noqa: DTZ001 - likewise
_FIRST_RIGHT_DAY: Final = 61
"""Excel counts 29 February 1900, which did not exist."""


class CellStyles(NamedTuple):
    """Indexes of cell formats that show numbers as something else."""

    dates: frozenset[int] = frozenset()
    percents: frozenset[int] = frozenset()


def cell_styles(package: Package) -> CellStyles:
    if PART not in package:
        return CellStyles()
    styles = _Styles()
    with package.open(PART, MAX_SMALL_PART_BYTES) as stream:
        for _ in walk(stream, styles):
            pass
    numbered = list(enumerate(styles.cells))
    return CellStyles(
        frozenset(number for number, form in numbered if form in _BUILT_IN or _is_date(styles.forms.get(form, ""))),
        frozenset(number for number, form in numbered if form in _PERCENT or _is_percent(styles.forms.get(form, ""))),
    )


def as_date(number: float, *, from_1904: bool) -> str | None:
    """Return date, time or both in ISO 8601; None outside the calendar."""
    try:
        epoch = _EPOCH_1904 if from_1904 else _EPOCH_1900
        if not from_1904 and 0 < number < _FIRST_RIGHT_DAY:
            epoch += timedelta(days=1)
        at = epoch + timedelta(seconds=round(number * 86_400))
    except (OverflowError, ValueError):
        return None
    if 0 <= number < 1:
        return f"{at:%H:%M:%S}"
    return at.date().isoformat() if (at.hour, at.minute, at.second) == (0, 0, 0) else at.isoformat()


def as_percent(number: float) -> str:
    """`12.5%` for 0.125."""
    return f"{number * 100:.10g}%"


def _is_percent(form: str) -> bool:
    return "%" in _NO_PART_OF_PER_DATE.sub("", form.partition(";")[0])


def _is_date(form: str) -> bool:
    return _OF_PER_DATE.search(_NO_PART_OF_PER_DATE.sub("", form.partition(";")[0])) is not None


class _Styles:
    def __init__(self) -> None:
        self.forms: dict[int, str] = {}
        self.cells: list[int] = []
        self._in_cells = False

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "numFmt":
            self.forms[_whole(attributes.get("numFmtId"))] = attributes.get("formatCode", "")
        elif name == "cellXfs":
            self._in_cells = True
        elif name == "xf" and self._in_cells:
            self.cells.append(_whole(attributes.get("numFmtId")))

    def end(self, name: str) -> None:
        if name == "cellXfs":
            self._in_cells = False

    def characters(self, text: str) -> None: ...


def _whole(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else 0
