"""Check whether the database was restored from a backup, by the note that a worker keeps in its spool folder."""

from __future__ import annotations

from worker.cli.doctor.findings import Finding, ok, warning
from worker.execution.restore_sign import REMEDY, RestoreSign
from worker.settings import Settings
from worker.store.database import Database


def check_restore(settings: Settings, database: Database) -> Finding:
    if RestoreSign(database, settings.spool_dir.absolute()).is_behind():
        return warning("the database is older than when this machine last saw it", REMEDY)
    return ok("no sign that the database was restored from a backup")
