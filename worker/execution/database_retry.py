"""Asking the database again and again, however long it is away: what is to be written may be a payment."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

from worker.concurrency.futures import wait_for
from worker.concurrency.stop_event import StopEvent
from worker.execution.heartbeat import Heartbeat
from worker.store.errors import describe
from worker.telemetry.outage_log import OutageLog

WAITS_SECONDS: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Between two tries; the last goes on."""
LAST_TRIES_SECONDS: Final = 0.5
"""Between two tries of a worker that is stopping."""

log = structlog.get_logger("ttsq.execution")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DatabaseRetry:
    """How long to go on."""

    heartbeat: Heartbeat
    stopping: StopEvent
    _troubles: dict[str, OutageLog] = field(default_factory=dict)

    async def run(
        self,
        work: Callable[[], Future[T]],
        *,
        event: str,
        is_passing: Callable[[SQLAlchemyError], bool] = lambda _: True,
    ) -> T:
        """What `work` gives, once the database lets it. `event` is what the log calls a failure.

        Raises:
            SQLAlchemyError: it isn't passing; or the worker is stopping, and has lost touch with the database.
        """
        tries = 0
        while True:
            try:
                done = await wait_for(work())
            except SQLAlchemyError as error:
                wait = WAITS_SECONDS[min(tries, len(WAITS_SECONDS) - 1)]
                self._trouble(event).failing(describe(error))
                tries += 1
                if not is_passing(error) or await self._must_leave(wait):
                    raise
            else:
                if tries:
                    self._trouble(event).recovered()
                return done

    def _trouble(self, event: str) -> OutageLog:
        """All attempts of a worker tell one together: a hundred of them meet the same database."""
        return self._troubles.setdefault(event, OutageLog(log, event))

    async def _must_leave(self, wait: float) -> bool:
        """Wait; true for a worker that is stopping and that others no longer know to be alive."""
        if not await wait_for(self.stopping.pause(wait)):
            return False
        if self.heartbeat.is_fresh():
            await wait_for(self.stopping.sleep(LAST_TRIES_SECONDS))
            return False
        return True
