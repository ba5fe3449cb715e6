"""The texts that are spoken: every one different, so that none is a copy of another."""

from __future__ import annotations

from typing import Final

PROSE: Final = "The ferry leaves at noon, the bakery opens at six, and the mountain road stays closed until spring."


def text(number: int) -> str:
    """About 110 characters with the number in it."""
    return f"Line {number}. {PROSE}"
