"""Finishes a batch: writes its result files, then its one event. Idempotent and safe to run concurrently."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from worker.artifacts.errors import ArtifactsError, NameTakenError
from worker.execution.destinations import Destinations
from worker.results import files
from worker.results.destination import ResultsDestination
from worker.results.files import CONTENT_TYPES, Written
from worker.results.temporary import temporary_folder
from worker.store import batches
from worker.store.database import Database
from worker.store.errors import describe
from worker.store.queries import results
from worker.store.transitions import completion
from worker.store.transitions.completion import Conclusion

CLOSE_SECONDS: Final = 30.0
"""How long shutdown waits for the batch being written; another worker writes its files again."""
TRIES: Final = 40
BUSY_SECONDS: Final = 0.05
"""Between two tries; a tick locks a batch's row for milliseconds."""

log = structlog.get_logger("ttsq.results")


@dataclass(frozen=True, slots=True)
class Finisher:
    """Finishes batches, any number at a time, each in its caller's thread."""

    database: Database
    destinations: Destinations
    wait: Callable[[float], object] = time.sleep

    def run(self, batch_id: UUID) -> bool:
        """Write the files and finish the batch. Returns False if it was not ready, or another worker was first.

        Raises:
            ArtifactsError: the store failed. The batch is unfinished.
            OSError: the local disk failed.
        """
        with self.database.read() as connection:
            batch = batches.by_id(connection, batch_id)
            finished = results.standing(connection, batch_id) is not None
        if batch is None or not finished or batch.finished_at is not None:
            return False
        destination = ResultsDestination.of(batch, self.destinations.store_of(tenant=batch.tenant, batch_id=batch.id))
        with temporary_folder() as folder:
            try:
                written = self._put(batch_id, folder, destination)
            except NameTakenError:  # another batch or the user was first
                destination = destination.apart(batch_id)
                written = self._put(batch_id, folder, destination)
        won = self._conclude(batch_id, written, destination.uri) is Conclusion.WON
        if won:
            log.info("batch_finished", batch=str(batch_id), succeeded=written.succeeded, errors=written.errors)
        return won

    def _put(self, batch_id: UUID, folder: Path, destination: ResultsDestination) -> Written:
        written = self.write(batch_id, folder, destination)
        for name in CONTENT_TYPES:
            destination.put(folder / name, batch_id)
        return written

    def finish(self, batch_id: UUID) -> str | None:
        """Like `run`, but log errors. Returns the error message, or None; the batch is retried later."""
        try:
            self.run(batch_id)
        except SQLAlchemyError as error:
            message = describe(error)
        except (ArtifactsError, OSError) as error:
            message = str(error)
        else:
            return None
        log.warning("results_not_written", batch=str(batch_id), error=message)
        return message

    def write(self, batch_id: UUID, folder: Path, destination: ResultsDestination) -> Written:
        """Write the files for the batch's current state, finished or not, to a local folder."""
        with self.database.read() as connection:
            names = results.extra_names(connection, batch_id)
            return files.write(results.in_order(connection, batch_id), folder, destination.namer(), names)

    def _conclude(self, batch_id: UUID, written: Written, results_uri: str) -> Conclusion:
        for _ in range(TRIES):
            with self.database.begin() as connection:
                now = self.database.now(connection)
                conclusion = completion.conclude(
                    connection, batch_id, written.standing, results_uri=results_uri, now=now
                )
            if conclusion is not Conclusion.BUSY:
                return conclusion
            self.wait(BUSY_SECONDS)
        return Conclusion.BUSY
