"""How a source is to be read where it can't say so itself: which sheets, which columns, which encoding."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class SheetOptions:
    """What the caller chose. Everything may be left out."""

    sheets: tuple[str, ...] = ()
    """Worksheets of a workbook, by name."""
    all_sheets: bool = False
    """Every visible worksheet that has rows."""
    text_column: str | None = None
    id_column: str | None = None
    ignored_columns: tuple[str, ...] = ()
    """Columns that are only carried along, whatever they are called."""
    encoding: str | None = None
    """A codec of Python; None: UTF-8, or UTF-16 with a byte order mark."""
    over_http: bool = False
    """Errors name query parameters instead of options of the command line."""

    def spelled(self, option: str, value: str | None = None) -> str:
        """An option as the reader of an error has to write it, such as `--text-column Script`."""
        if self.over_http:
            name = option.replace("-", "_")
            return f"{name}={'true' if value is None else quote(value, safe='')}"
        return f"--{option}" if value is None else f"--{option} {shlex.quote(value)}"

    @classmethod
    def of(
        cls,
        sheets: Iterable[str] | None,
        text_column: str | None,
        id_column: str | None,
        ignored_columns: Iterable[str] | None,
        encoding: str | None,
        *,
        all_sheets: bool,
    ) -> SheetOptions:
        """As a command line has them."""
        return cls(tuple(sheets or ()), all_sheets, text_column, id_column, tuple(ignored_columns or ()), encoding)

    @property
    def chosen_column(self) -> str | None:
        """The first option that speaks of a column, as it was given."""
        given = [("text-column", self.text_column), ("id-column", self.id_column)]
        given += [("ignore-column", name) for name in self.ignored_columns]
        return next((self.spelled(option, name) for option, name in given if name is not None), None)

    @property
    def chooses_sheets(self) -> bool:
        """Whether anything is said that only a workbook has."""
        return bool(self.sheets) or self.all_sheets


AS_IT_IS: Final = SheetOptions()
"""Nothing was chosen."""
