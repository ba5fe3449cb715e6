"""The workers of a run: one inside this process, or external ones."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol
from uuid import UUID

from worker.cli.console.errors import CliError
from worker.cli.console.exits import Interrupts
from worker.cli.doctor.findings import Finding, Level
from worker.process.embedded import EmbeddedWorker
from worker.settings import Settings
from worker.store.database import Database
from worker.telemetry import logs

POLL_SECONDS: Final = 0.25


class Workers(Protocol):
    """The workers of one run."""

    def start(self) -> None:
        """Get ready, or raise before anything is queued or charged."""

    def wake(self) -> None:
        """Announce new rows."""

    def finish(self, batch_id: UUID) -> str | None:
        """Write the result files of a finished batch. Returns an error message, or None."""

    def stop(self, *, grace_seconds: float) -> None:
        """Start nothing new; calls in flight may finish within the grace period."""

    def kill(self) -> None: ...


class BrokerError(CliError):
    """Workers could not be woken, and the run would wait for them without end."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(
            f"the broker does not answer: {finding.message}; nothing was queued or charged",
            finding.remedy or "start it, or correct TTSQ_BROKER_URL",
        )


@dataclass(frozen=True, slots=True)
class ExternalWorkers:
    """Workers in other processes, which start and stop independently."""

    settings: Settings

    def start(self) -> None:
        """Raises BrokerError."""
        from worker.cli.doctor.broker import check_broker  # noqa: PLC0415 - loads Redis' client

        finding = check_broker(self.settings)
        if finding.level is Level.FAIL:
            raise BrokerError(finding)

    def wake(self) -> None: ...

    def finish(self, batch_id: UUID) -> str | None:  # noqa: ARG002 - the Protocol's signature
        return None

    def stop(self, *, grace_seconds: float) -> None: ...

    def kill(self) -> None: ...


def choose_workers(settings: Settings, database: Database, log_file: Path, *, origin: str) -> Workers:
    """Choose by the settings. The embedded worker logs to a file, so that log lines do not disturb the display."""
    if not settings.embedded:
        logs.silence()
        return ExternalWorkers(settings)

    logs.configure(settings, to=log_file)
    return EmbeddedWorker(settings, database, origin=origin)


def dismiss(
    workers: Workers,
    interrupts: Interrupts,
    *,
    grace_seconds: float,
    tick: Callable[[], object],
    seen: int | None = None,
) -> bool:
    """Stop gracefully, calling `tick` meanwhile; a further signal kills. Returns True if it was graceful.

    `seen` is the number of signals before the user was asked to press Ctrl-C again; None means all so far.
    """
    seen = interrupts.count if seen is None else seen
    failures: list[BaseException] = []

    def stop() -> None:
        try:
            workers.stop(grace_seconds=grace_seconds)
        except Exception as error:  # noqa: BLE001 - raised in the waiting thread
            failures.append(error)

    # In a thread, because the main thread must receive signals.
    stopping = threading.Thread(target=stop, name="stopping", daemon=True)
    stopping.start()
    while stopping.is_alive():
        if interrupts.count > seen:
            workers.kill()
            return False
        tick()
        stopping.join(POLL_SECONDS)
    for failure in failures:
        raise failure
    return True
