"""Is the database as far as this machine last saw it, or was it restored from a backup?"""

from __future__ import annotations

from worker.cli.doctor.findings import Finding, ok, warning
from worker.execution.restore_sign import REMEDY, RestoreSign
from worker.settings import Settings
from worker.store.database import Database


def check_restore(settings: Settings, database: Database) -> Finding:
    """By what the worker on this machine noted in its spool folder."""
    if RestoreSign(database, settings.spool_dir.absolute()).is_behind():
        return warning("the database is older than when this machine last saw it", REMEDY)
    return ok("no sign that the database was restored from a backup")
