"""What a check found. Data only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    """Nothing to do."""
    WARNING = "warning"
    """It works, or will, but something deserves a look."""
    FAIL = "FAIL"
    """A run would not work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report."""

    level: Level
    message: str
    remedy: str = ""


def ok(message: str) -> Finding:
    """All is well."""
    return Finding(Level.OK, message)


def warning(message: str, remedy: str = "") -> Finding:
    """Worth a look."""
    return Finding(Level.WARNING, message, remedy)


def fail(message: str, remedy: str = "") -> Finding:
    """Must be mended."""
    return Finding(Level.FAIL, message, remedy)
