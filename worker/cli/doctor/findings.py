"""The result of a check."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    """Works, but needs attention."""
    FAIL = "FAIL"
    """A run would fail."""


@dataclass(frozen=True, slots=True)
class Finding:
    level: Level
    message: str
    remedy: str = ""


def ok(message: str) -> Finding:
    return Finding(Level.OK, message)


def warning(message: str, remedy: str = "") -> Finding:
    return Finding(Level.WARNING, message, remedy)


def fail(message: str, remedy: str = "") -> Finding:
    return Finding(Level.FAIL, message, remedy)
