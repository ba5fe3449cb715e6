"""Who does the work of a run: a worker inside this process, or workers that run elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol
from uuid import UUID

from worker.broker.embedded import EmbeddedWorker
from worker.cli.console.exits import Interrupts
from worker.settings import Settings
from worker.store.database import Database
from worker.telemetry import logs

POLL_SECONDS: Final = 0.25


class Workers(Protocol):
    """What a run asks of those who do its work."""

    def start(self) -> None:
        """Be ready, or say why not before anything is stored or spent."""

    def wake(self) -> None:
        """There are new rows."""

    def finish(self, batch_id: UUID) -> str | None:
        """See that a batch that is over has its result files. Returns what prevented it."""

    def stop(self, *, grace_seconds: float) -> None:
        """Start nothing more; what is in flight may finish within the grace."""

    def kill(self) -> None:
        """End at once."""


class ExternalWorkers:
    """Workers that share a broker. They need no start from here, and no stop."""

    def start(self) -> None:
        """They run, or will."""

    def wake(self) -> None:
        """Their dispatcher looks by itself."""

    def finish(self, batch_id: UUID) -> str | None:  # noqa: ARG002 - the Protocol's signature
        """They will, within a second or so."""
        return None

    def stop(self, *, grace_seconds: float) -> None:
        """They go on."""

    def kill(self) -> None:
        """They go on."""


def choose_workers(settings: Settings, database: Database, log_file: Path, *, origin: str) -> Workers:
    """Those that the settings ask for. The embedded worker's log goes to a file, so that it can't tear the display."""
    if not settings.embedded:
        logs.silence()
        return ExternalWorkers()

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
    """Stop in good order, calling `tick` meanwhile; a further signal ends it at once. True if it was in good order.

    `seen` is how many signals had come before the user was told that one more would end it; None for those so far.
    """
    seen = interrupts.count if seen is None else seen
    failures: list[BaseException] = []

    def stop() -> None:
        try:
            workers.stop(grace_seconds=grace_seconds)
        except Exception as error:  # noqa: BLE001 - carried to the thread that waits, and raised there
            failures.append(error)

    # In a thread, because the main one has to go on hearing signals.
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
