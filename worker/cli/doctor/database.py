"""Is the database there, with this version's tables, writable, and with connections to spare?"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import text

from worker.cli.doctor.findings import Finding, fail, ok, warning
from worker.settings import Settings
from worker.store import schema
from worker.store.database import Database

CROWDED: Final = 0.9
"""The part of all connections from which on the next worker may find none."""


def check_database(settings: Settings, database: Database) -> Finding:
    """Reachable, with this version's tables, and fit for work."""
    where = database.url.render_as_string(hide_password=True)
    found = schema.revision(database)
    if found == schema.HEAD:
        return _at_work(database, f"{where} at revision {found}")
    if found is not None and found > schema.HEAD:
        return fail(f"{where} is at revision {found}, newer than this program", "upgrade ttsq")
    state = "has no tables yet" if found is None else f"is at revision {found}, not {schema.HEAD}"
    if settings.embedded and database.is_sqlite:
        return ok(f"{where} {state}; the next `ttsq run` sees to it")
    return fail(f"{where} {state}", "run `ttsq migrate`")


def _at_work(database: Database, described: str) -> Finding:
    """What a server with the right tables may still lack."""
    if database.is_sqlite:
        return ok(described)
    with database.read() as connection:
        facts: Any = connection.execute(
            text(
                "SELECT current_setting('transaction_read_only')::bool AS read_only,"
                " (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS taken,"
                " current_setting('max_connections')::int AS most"
            )
        ).one()
    if facts.read_only:
        remedy = "wait for a failover to end, or set TTSQ_DATABASE_URL to the primary"
        return fail(f"{described}, but read-only: nothing can be handed in, claimed or recorded", remedy)
    if facts.taken > CROWDED * facts.most:
        remedy = "raise max_connections, or lower TTSQ_DATABASE_CONNECTIONS of each worker"
        return warning(f"{described}; {facts.taken} of its {facts.most} connections are taken", remedy)
    return ok(described)
