"""Columns that are no job fields: kept as JSON and written to the manifest."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Final

MAX_CARRIED_CHARACTERS: Final = 2_000
"""Per cell; longer values are cut, because the manifest is no copy of the sheet."""


def carried(cells: Sequence[str], places: Iterable[tuple[int, str]]) -> str | None:
    return packed((label, cells[index]) for index, label in places)


def packed(values: Iterable[tuple[str, str]]) -> str | None:
    """Encode as JSON on one line. Order and blank values are kept: the manifest shows them in this order."""
    found = {_clean(label): _cut(_clean(value)) for label, value in values}
    return json.dumps(found, separators=(",", ":")) if any(found.values()) else None


def _clean(text: str) -> str:
    """Without what no file in UTF-8 can hold: halves of surrogate pairs, and NUL."""
    return (
        text if text.isascii() and "\x00" not in text else text.encode("utf-8", "replace").decode().replace("\x00", "")
    )


def _cut(value: str) -> str:
    value = value.strip()
    return value if len(value) <= MAX_CARRIED_CHARACTERS else f"{value[: MAX_CARRIED_CHARACTERS - 1]}…"


def with_first(extra: str | None, label: str, value: str) -> str:
    """Prepend a value unless the label exists."""
    known = json.loads(extra) if extra else {}
    return json.dumps({label: value, **known}, separators=(",", ":"))
