"""Retries database work for as long as an outage lasts, because it may record a payment."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

from worker.concurrency.futures import wait_for
from worker.concurrency.retry import retry
from worker.concurrency.stop_event import StopEvent
from worker.execution.heartbeat import Heartbeat
from worker.store.errors import describe
from worker.telemetry.outage_log import OutageLog

WAITS_SECONDS: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Between tries; the last repeats."""
LAST_TRIES_SECONDS: Final = 0.5
"""Between tries of a stopping worker."""

log = structlog.get_logger("ttsq.execution")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DatabaseRetry:
    heartbeat: Heartbeat
    stopping: StopEvent
    _outages: dict[str, OutageLog] = field(default_factory=dict)

    async def run(
        self,
        work: Callable[[], Future[T]],
        *,
        event: str,
        is_passing: Callable[[SQLAlchemyError], bool] = lambda _: True,
    ) -> T:
        """Return the result of `work`, retried through outages. `event` is the log event of a failure. Raises
        SQLAlchemyError: `is_passing` denies the error, or the worker is stopping and its heartbeat isn't fresh.
        """
        outage = self._outage(event)

        async def failed(error: SQLAlchemyError, tries: int) -> None:
            outage.failing(describe(error))
            wait = WAITS_SECONDS[min(tries, len(WAITS_SECONDS) - 1)]
            if not is_passing(error) or await self._must_give_up(wait):
                raise error

        return await retry(lambda: wait_for(work()), SQLAlchemyError, failed=failed, recovered=outage.recovered)

    def _outage(self, event: str) -> OutageLog:
        """One log per event, shared by all attempts: they meet the same outage."""
        return self._outages.setdefault(event, OutageLog(log, event))

    async def _must_give_up(self, wait: float) -> bool:
        """Wait; return True if the worker is stopping and no longer counts as alive."""
        if not await wait_for(self.stopping.pause(wait)):
            return False
        if self.heartbeat.is_fresh():
            await wait_for(self.stopping.sleep(LAST_TRIES_SECONDS))
            return False
        return True
