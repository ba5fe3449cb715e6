"""A batch from its last job's end to its result files and its one event. Safe to be carried out twice, or at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

import structlog

from worker.artifacts.errors import NameTakenError
from worker.execution.places import Places
from worker.results import files
from worker.results.files import CONTENT_TYPES, Written
from worker.results.passing import passing_folder
from worker.results.place import Place
from worker.store import batches, results
from worker.store.database import Database
from worker.store.transitions import finishing
from worker.store.transitions.finishing import Conclusion

TRIES: Final = 40
BUSY_SECONDS: Final = 0.05
"""Between two tries; a tick holds the row of a batch for milliseconds."""

log = structlog.get_logger("ttsq.results")


@dataclass(frozen=True, slots=True)
class Finisher:
    """Writes the files of batches that are over, any number at a time, each on its caller's thread."""

    database: Database
    places: Places
    wait: Callable[[float], object] = time.sleep

    def run(self, batch_id: UUID) -> bool:
        """Write them, and finish the batch. False where there was nothing to do, or somebody else was first.

        Raises:
            ArtifactsError: the store is in trouble. The batch isn't finished.
            OSError: this machine's disk is.
        """
        with self.database.read() as connection:
            batch = batches.by_id(connection, batch_id)
            over = results.standing(connection, batch_id) is not None
        if batch is None or not over or batch.finished_at is not None:
            return False
        place = Place.of(batch, self.places.store_of(tenant=batch.tenant, batch_id=batch.id))
        with passing_folder() as folder:
            try:
                written = self._put(batch_id, folder, place)
            except NameTakenError:  # another batch or the user was quicker
                place = place.apart(batch_id)
                written = self._put(batch_id, folder, place)
        won = self._conclude(batch_id, written, place.uri) is Conclusion.WON
        if won:
            log.info("batch_finished", batch=str(batch_id), succeeded=written.succeeded, errors=written.errors)
        return won

    def _put(self, batch_id: UUID, folder: Path, place: Place) -> Written:
        written = self.write(batch_id, folder, place)
        for name in CONTENT_TYPES:
            place.put(folder / name, batch_id)
        return written

    def write(self, batch_id: UUID, folder: Path, place: Place) -> Written:
        """The files as the batch stands now, over or not, into a folder of this machine."""
        with self.database.read() as connection:
            names = results.extra_names(connection, batch_id)
            return files.write(results.in_order(connection, batch_id), folder, place.namer(), names)

    def _conclude(self, batch_id: UUID, written: Written, results_uri: str) -> Conclusion:
        for _ in range(TRIES):
            with self.database.begin() as connection:
                now = self.database.now(connection)
                came_of_it = finishing.conclude(
                    connection, batch_id, written.standing, results_uri=results_uri, now=now
                )
            if came_of_it is not Conclusion.BUSY:
                return came_of_it
            self.wait(BUSY_SECONDS)
        return Conclusion.BUSY
