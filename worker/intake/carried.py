"""What a row holds beside its fields: kept as JSON, and written into the manifest at the end."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Final

MAX_CARRIED_CHARACTERS: Final = 2_000
"""Of one cell; what is longer is cut, for the manifest is no copy of the sheet."""


def carried(cells: Sequence[str], places: Iterable[tuple[int, str]]) -> str | None:
    """The cells at these places under these names; None where all are blank."""
    return packed((label, cells[index]) for index, label in places)


def packed(values: Iterable[tuple[str, str]]) -> str | None:
    """Names and values as JSON on one line, in their order, the blank ones too: that order is the manifest's."""
    found = {label: _cut(value) for label, value in values}
    return json.dumps(found, separators=(",", ":")) if any(found.values()) else None


def _cut(value: str) -> str:
    value = value.strip()
    return value if len(value) <= MAX_CARRIED_CHARACTERS else f"{value[: MAX_CARRIED_CHARACTERS - 1]}…"


def with_first(extra: str | None, label: str, value: str) -> str:
    """The same with one value more, unless something is called like that already."""
    known = json.loads(extra) if extra else {}
    return json.dumps({label: value, **known}, separators=(",", ":"))
