"""The texts that are spoken: every one different, so that none is a copy of another."""

from __future__ import annotations

import os
from typing import Final

PROSE: Final = "The ferry leaves at noon, the bakery opens at six, and the mountain road stays closed until spring."


CHARACTERS: Final = "BENCHMARK_CHARACTERS"
"""Environment variable with the length of each text."""


def text(number: int) -> str:
    """About 110 characters with the number in it, or as many as the environment says."""
    whole, characters = f"Line {number}. {PROSE}", int(os.environ.get(CHARACTERS, "0"))
    while len(whole) < characters:
        whole += f" {PROSE}"
    return whole[:characters] if characters else whole
