"""What a dispatcher is told when it is made: which workers it can wake, and the settings that it goes by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from worker.dispatch.rate.pace import Ceiling
from worker.store.transitions.dispatches import Waiting

Publish = Callable[[Sequence[Waiting]], Sequence[Waiting]]
"""Sends a message a job; returns those that could not be sent."""


@dataclass(frozen=True, slots=True)
class WorkerScope:
    """Which workers this dispatcher can wake."""

    queue: str
    only_worker: UUID | None = None
    """The worker of this process, where the broker lives in its memory; None for a broker that all share."""


@dataclass(frozen=True, slots=True)
class DispatchLimits:
    """The settings that a dispatcher goes by."""

    rpm: Ceiling
    dispatch_timeout: float
    probe_seconds: float
    max_attempts: int
    low_balance: Decimal = Decimal(1)
    """US dollars."""
    reserved_share: float = 0.1
    """Of the slots, kept free of bulk while there are interactive jobs."""
    ageing_seconds: float = 60.0
    """After so long a lane that waits is one step more urgent."""
    hold_after_refused: int = 20
    """Paid takes of a lane, refused in a row, that hold it; 0: none do."""
