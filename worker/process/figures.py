"""What one worker process shows of itself at its own `/metrics`. Without imports: few workers have that endpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

ALIVE_SECONDS: Final = 60.0
"""As the container's health check has it for TTSQ_ALIVE_FILE."""


@dataclass(frozen=True, slots=True)
class WorkerFigures:
    slots: int
    attempts: int
    heartbeat_age: float
    leads: bool
    problem: str | None
    is_alive: bool
    """False once a thread hangs, when only a restart helps; an outage of the database is no reason for one."""
    dropped_messages: int
