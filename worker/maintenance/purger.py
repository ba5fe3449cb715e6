"""Removes texts and audio whose retention period has ended: the objects first, then the texts. Idempotent.

A job is retried until its objects are known to be removed. Weakness: one process removes everything; for millions of
objects a bucket's lifecycle rules are faster.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from worker.artifacts import ownership
from worker.artifacts.errors import ArtifactsError
from worker.artifacts.ownership import Owner
from worker.execution import provenance, timings
from worker.execution.destinations import Destinations
from worker.store.database import Database
from worker.store.queries import results
from worker.store.transitions import purges
from worker.store.transitions.purges import Due

POLL_SECONDS: Final = 2.0
JOBS_AT_A_TIME: Final = 200
THREADS: Final = 8
"""Objects are removed one by one, and each removal waits for a response."""
PUT_OFF: Final = timedelta(minutes=10)

log = structlog.get_logger("ttsq.retention")


@dataclass(frozen=True, slots=True)
class Purger:
    database: Database
    destinations: Destinations

    def run_once(self) -> bool:
        """Date finished jobs and remove what is due, a limited number of each. Returns whether there may be more.
        Raises SQLAlchemyError.
        """
        with self.database.read() as connection:
            now = self.database.now(connection)
            found = purges.due(connection, most=JOBS_AT_A_TIME, now=now)
        done = self._remove(found)
        with self.database.begin() as connection:
            dated = purges.date(connection, most=JOBS_AT_A_TIME)
        return JOBS_AT_A_TIME in {len(found), dated} and (bool(done) or bool(dated))

    def run(self, job_ids: Sequence[UUID]) -> int:
        """Remove the requested text and audio of these jobs now. Returns the number of jobs. Raises SQLAlchemyError."""
        done = 0
        for start in range(0, len(job_ids), JOBS_AT_A_TIME):
            with self.database.read() as connection:
                found = purges.asked_for(connection, job_ids[start : start + JOBS_AT_A_TIME])
            done += self._remove(found)
        return done

    def _remove(self, jobs: Sequence[Due]) -> int:
        if not jobs:
            return 0
        with self.database.read() as connection:
            takes = purges.kept_takes(connection, [job.id for job in jobs])
            sidecars = purges.beside(connection, [job.id for job in jobs])
            needed = results.needed(connection, [job.id for job in jobs])
        files = {job.id: [*takes.get(job.id, ()), *sidecars.get(job.id, ()), *_side_files(job)] for job in jobs}
        with ThreadPoolExecutor(THREADS, thread_name_prefix="ttsq-purge") as pool:
            gone = list(pool.map(lambda job: self._is_gone(job, files[job.id], needed), jobs))
        done = [job for job, is_gone in zip(jobs, gone, strict=True) if is_gone]
        with self.database.begin() as connection:
            now = self.database.now(connection)
            purges.blank(connection, done, now=now)
            kept = [job.id for job, is_gone in zip(jobs, gone, strict=True) if not is_gone]
            purges.put_off(connection, kept, until=now + PUT_OFF)
        log.info("purged", jobs=len(done), put_off=len(kept))
        return len(done)

    def _is_gone(self, job: Due, others: Sequence[str], needed: Collection[UUID]) -> bool:
        """Whether all stored objects of the job are removed. Objects that others have stored there since are kept."""
        removed = [self._removed(job, uri, None, forget=True) for uri in others]  # a list, so that every one is tried
        if job.uri is not None:
            removed.append(self._removed(job, job.uri, job.sha256, forget=job.id not in needed))
        return all(removed)

    def _removed(self, job: Due, uri: str, sha256: str | None, *, forget: bool) -> bool:
        try:
            destination = self.destinations.containing(uri, tenant=job.tenant, batch_id=job.batch_id)
            if destination is None:
                log.warning("object_out_of_reach", job=str(job.id), uri=uri)
                return False
            ownership.remove(destination.store, destination.key, Owner(job=str(job.id)), sha256=sha256, forget=forget)
        except ArtifactsError as error:
            log.warning("object_not_removed", job=str(job.id), uri=uri, error=error.message)
            return False
        return True


def _side_files(job: Due) -> list[str]:
    wanted = (timings.SUFFIX, job.timings is not None), (provenance.SUFFIX, bool(job.provenance))
    return [job.uri + suffix for suffix, is_there in wanted if is_there and job.uri is not None]
