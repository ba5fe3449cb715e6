"""Plain text: one job a line, blank lines skipped. Blanks around a line are not part of what is spoken."""

from __future__ import annotations

from collections.abc import Iterable

from worker.intake.header import TEXT
from worker.intake.record import Line, Parsed, Record


def parse(lines: Iterable[Line]) -> Parsed:
    """One record a line that isn't blank."""
    for number, text in lines:
        if words := text.strip():
            yield Record(number, number, {TEXT: words})
