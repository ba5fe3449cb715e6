"""How an input was read, printed before anything is bought: columns, skipped sheets, markup. Output only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from worker.cli.console.format import cut
from worker.intake.column_names import folded
from worker.intake.header import Header
from worker.intake.reader import Judged
from worker.intake.sheet_options import SheetOptions

SHOWN_NAMES: Final = 8
NAME_CHARACTERS: Final = 40


def notes(judged: Judged, options: SheetOptions) -> Iterator[str]:
    """Yield matched columns, columns copied to the manifest, and hidden sheets."""
    for header in dict.fromkeys(_shape(header) for header in judged.understood.headers):
        guessed, carried = header
        parts = [", ".join(f"{_name(column)} → {field}" for field, column in guessed)] if guessed else []
        parts += [f"copied to manifest.csv: {_names(carried)}"] if carried else []
        if parts:
            yield f"Columns: {'; '.join(parts)}"
    if hidden := judged.understood.unread_sheets:
        what = "Hidden sheet" if len(hidden) == 1 else "Hidden sheets"
        yield f"{what} not read: {_names(hidden)} ({options.spelled('sheet', hidden[0])} reads it)"


def warnings(judged: Judged) -> list[str]:
    """Return a sentence for each kind of markup found in texts."""
    return judged.markup.warnings(judged.understood.describe)


def _shape(header: Header) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    guessed = tuple((field, name) for field, name in header.guessed.items() if folded(name) != folded(field))
    return guessed, tuple(label for _, label in header.carried())


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(map(_name, names[:SHOWN_NAMES]))
    return f"{shown} and {len(names) - SHOWN_NAMES:,} more" if len(names) > SHOWN_NAMES else shown


def _name(name: str) -> str:
    return cut(name, NAME_CHARACTERS)
