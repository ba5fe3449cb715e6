"""Configuration of a dispatcher: the workers it can reach, and its settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from worker.dispatch.rate.pace import Ceiling
from worker.store.transitions.dispatches import Waiting

Publish = Callable[[Sequence[Waiting]], Sequence[Waiting]]
"""Publishes one message per job; returns the jobs that could not be published."""


@dataclass(frozen=True, slots=True)
class WorkerScope:
    queue: str
    early_queue: Callable[[], str | None] = lambda: None
    """A second queue whose readers this dispatcher reaches, during an upgrade."""
    only_worker: UUID | None = None
    """The worker of this process if the broker is in memory; None for a shared broker."""


@dataclass(frozen=True, slots=True)
class DispatchLimits:
    rpm: Ceiling
    dispatch_timeout: float
    probe_seconds: float
    max_attempts: int
    low_balance: Decimal = Decimal(1)
    """US dollars."""
    reserved_share: float = 0.1
    """Share of the slots kept free of bulk jobs while there are interactive jobs."""
    ageing_seconds: float = 60.0
    """Waiting time after which a lane counts as one priority step more urgent."""
    hold_after_refused: int = 20
    """Consecutive refused paid takes that hold a lane; 0 disables this."""
