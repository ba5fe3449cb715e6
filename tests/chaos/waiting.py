"""Letting time pass on a stage, with a supervisor's eye on its workers. The only place of the suite that sleeps."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from tests.chaos.cluster_harness import Stage

TICK_SECONDS: Final = 0.1
FLOWING: Final = 20
"""Successes after which work counts as flowing."""
GIVE_UP_SECONDS: Final = 150.0
"""By then it is a violation anyway."""


def pass_time(stage: Stage, seconds: float) -> None:
    pass_until(stage, time.monotonic() + seconds)


def pass_until(stage: Stage, moment: float) -> None:
    """Return at this moment of the steady clock, and start workers again that left by themselves meanwhile."""
    while time.monotonic() < moment:
        keep_up(stage)
        time.sleep(TICK_SECONDS)


def keep_up(stage: Stage) -> None:
    """Restart workers that ended by themselves, unless a disturbance holds their host."""
    for host in stage.hosts:
        if host.turn.acquire(blocking=False):
            try:
                host.revive()
            finally:
                host.turn.release()


def await_success(stage: Stage, since: datetime, worker_id: UUID | None = None) -> None:
    """Return once jobs that were claimed after a moment, by one worker or any, have succeeded; or after long."""
    until = time.monotonic() + GIVE_UP_SECONDS
    while time.monotonic() < until and _succeeded(stage, since, worker_id) < FLOWING:
        keep_up(stage)
        time.sleep(TICK_SECONDS)


def _succeeded(stage: Stage, since: datetime, worker_id: UUID | None) -> int:
    try:
        return stage.cluster.seen.succeeded_since(since, worker_id)
    except SQLAlchemyError:
        return 0
