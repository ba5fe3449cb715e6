"""A text without its markup, and what the markup said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from worker.text.lexicon.edits import Edit


@dataclass(frozen=True, slots=True)
class Marked:
    text: str
    edits: tuple[Edit, ...] = ()
    """Words that the markup replaced."""
    pauses: tuple[tuple[int, float], ...] = ()
    """Places and seconds of silence before them."""
    voices: tuple[tuple[int, str], ...] = ()
    """Places and the voice from there on; empty for the job's own."""
    unapplied: Mapping[str, int] = field(default_factory=dict)
    """Markup without effect, by its name, with its number."""
