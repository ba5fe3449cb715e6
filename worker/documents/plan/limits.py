"""What a part may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PLAN_VERSION: Final = 1
"""Raised whenever the same text would be divided differently."""


@dataclass(frozen=True, slots=True)
class PartLimits:
    """The size of parts. The defaults are for Gemini's voices, which lose clarity in takes of over a minute."""

    target_seconds: float = 45.0
    max_seconds: float = 60.0
    max_bytes: int = 4_000
    """UTF-8 bytes of one request's text."""
    units_per_second: float = 15.0
    """The voice's rate (`duration`)."""
