"""The caller's choices for reading a source: sheets, columns and encoding."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

SHEET: Final = "sheet"
"""The column that names a row's sheet if several are read."""


@dataclass(frozen=True, slots=True)
class SheetOptions:
    sheets: tuple[str, ...] = ()
    all_sheets: bool = False
    """Every visible worksheet with rows."""
    text_column: str | None = None
    id_column: str | None = None
    ignored_columns: tuple[str, ...] = ()
    """Columns that are carried along even if they look like a field."""
    encoding: str | None = None
    """A Python codec; None means UTF-8, or UTF-16 with a byte order mark."""
    input_format: str | None = None
    """A `Kind`; None means by the file's name or content."""
    over_http: bool = False
    """Whether errors name query parameters instead of command line options."""

    def spelled(self, option: str, value: str | None = None) -> str:
        """Return an option as the user writes it, such as `--text-column Script`."""
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
        input_format: str | None = None,
    ) -> SheetOptions:
        ignored = tuple(ignored_columns or ())
        return cls(tuple(sheets or ()), all_sheets, text_column, id_column, ignored, encoding, input_format)

    @property
    def chosen_column(self) -> str | None:
        given = [("text-column", self.text_column), ("id-column", self.id_column)]
        given += [("ignore-column", name) for name in self.ignored_columns]
        return next((self.spelled(option, name) for option, name in given if name is not None), None)

    @property
    def chooses_sheets(self) -> bool:
        return bool(self.sheets) or self.all_sheets


AS_IT_IS: Final = SheetOptions()
