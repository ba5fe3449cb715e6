"""What the parsers hand on: one job's values as the file has them, and the lines they stand on. Judges nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from api_models.problems import Fault


class Line(NamedTuple):
    """One physical line of a text, with the number an editor shows beside it."""

    number: int
    text: str
    """Decoded, its line ending kept: a quoted cell may contain it."""


@dataclass(frozen=True, slots=True)
class Record:
    """The values of one job before any rule was applied to them."""

    line: int
    """The first line it stands on."""
    last_line: int
    fields: Mapping[str, object]
    extra: str | None = None
    """What the row holds beside them, as JSON."""


Parsed: TypeAlias = Iterator[Record | Fault]
"""What every parser returns: records and faults in the order of the file."""
