"""Whether audio that was recorded is still where it was stored: a sample, because a store may hold millions.

Weakness: of what was lost before the sample, only the run's own command knows.
"""

from __future__ import annotations

from typing import Final

from worker.artifacts.addresses import path_of
from worker.artifacts.ownership import Owner
from worker.artifacts.store import ArtifactStore, Wanted
from worker.cli.console.format import number
from worker.cli.doctor.findings import Finding, ok, warning
from worker.execution.destinations import Destination, Destinations
from worker.execution.restore_sign import REMEDY, RestoreSign
from worker.process.factories import open_destinations
from worker.settings import Settings
from worker.store.database import Database
from worker.store.queries import results
from worker.store.queries.results import Spoken

SAMPLE: Final = 20
"""Objects looked at: one HEAD, or one file hashed, each."""


def check_objects(settings: Settings, database: Database) -> Finding:
    """Look at the latest objects; a folder that isn't on this machine is left out where workers have others."""
    with database.read() as connection:
        found = results.spoken(connection, most=SAMPLE)
    places = open_destinations(settings, database, connections=SAMPLE)
    try:
        seen = {job: _is_lost(place, job) for job in found if (place := _place(places, job, settings)) is not None}
    finally:
        for store in places.opened():
            store.close()
    sound = {job.fingerprint for job, lost in seen.items() if not lost}
    return _finding(len(seen), [job.uri for job, lost in seen.items() if lost and job.fingerprint not in sound])


def _place(places: Destinations, job: Spoken, settings: Settings) -> Destination | None:
    place = places.containing(job.uri, tenant=job.tenant, batch_id=job.batch_id)
    return place if place is not None and (settings.embedded or _is_here(place.store)) else None


def _is_lost(place: Destination, job: Spoken) -> bool:
    """A later job's audio under its name is no loss: that is how an edited sheet replaces files."""
    if not _is_here(place.store):
        return True  # without asking the store, which would make its folder anew
    wrong = place.store.unsound([Wanted(place.key, job.sha256, job.audio_bytes)])
    there = wrong.get(place.key)
    return bool(wrong) and (there is None or Owner.of(there.metadata).job in {None, str(job.id)})


def _is_here(store: ArtifactStore) -> bool:
    folder = path_of(store.url)
    return folder is None or folder.is_dir()


def _finding(seen: int, lost: list[str]) -> Finding:
    if lost:
        return warning(
            f"of the latest {number(seen, 'audio file')}, {len(lost):,} missing or changed, such as {lost[0]}",
            "run the same `ttsq run` command again: it names them; --missing buys those that are gone",
        )
    return ok(f"the latest {number(seen, 'audio file')} are as recorded" if seen else "none stored yet, or none here")


def check_restore(settings: Settings, database: Database) -> Finding:
    if RestoreSign(database, settings.spool_dir.absolute()).is_behind():
        return warning("the database is older than when this machine last saw it", REMEDY)
    return ok("no sign that the database was restored from a backup")
