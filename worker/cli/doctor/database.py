"""Check the database as a worker opens it: its revision, the role's rights, and what a pooler lets through."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, text

from worker.cli.doctor.findings import Finding, fail, ok, warning
from worker.environment.private_files import unwritable
from worker.settings import Settings
from worker.store import schema
from worker.store.database import Database
from worker.store.tables.base import Base

CROWDED: Final = 0.9
"""Share of connections in use from which to warn."""
CHANNEL: Final = "ttsq_doctor"
HEARD_SECONDS: Final = 2.0
"""How long to wait for a notification of one's own."""
SHOWN_RIGHTS: Final = 3

_FACTS: Final = text(
    "SELECT current_setting('transaction_read_only')::bool AS read_only,"
    " (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS taken,"
    " current_setting('max_connections')::int AS most,"
    " current_setting('server_encoding') AS encoding, current_user AS role"
)
_LACKING: Final = text(
    "SELECT privilege || ' on ' || name FROM unnest(CAST(:tables AS text[])) AS name"
    " CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege"
    " WHERE to_regclass(name) IS NOT NULL AND NOT has_table_privilege(to_regclass(name), privilege)"
    " UNION ALL SELECT 'USAGE on ' || s.relname FROM pg_class s"
    " JOIN pg_depend d ON d.objid = s.oid AND d.deptype = 'a'"
    " WHERE CASE s.relkind WHEN 'S' THEN NOT has_sequence_privilege(s.oid, 'USAGE') END"
    " AND d.refobjid IN (SELECT to_regclass(name)::oid FROM unnest(CAST(:tables AS text[])) AS name) ORDER BY 1"
)


def check_database(settings: Settings, database: Database) -> Finding:
    where = database.url.render_as_string(hide_password=True)
    found = schema.revision(database)
    if found == schema.HEAD:
        return _at_work(database, f"{where} at revision {found}")
    if found is not None and found > schema.HEAD:
        return fail(f"{where} is at revision {found}, newer than this version of ttsq", "upgrade ttsq")
    state = "has no tables" if found is None else f"is at revision {found}, not {schema.HEAD}"
    if settings.embedded and database.is_sqlite:
        return ok(f"{where} {state}; the next `ttsq run` upgrades it")
    return fail(f"{where} {state}", "run `ttsq migrate`")


def check_file(path: Path, *, embedded: bool) -> Finding | None:
    """Why an SQLite file, or the folder it will be in, can't be used; None if it is there and can."""
    if error := unwritable(path.parent):
        return fail(f"the folder {path.parent} can't be written ({error.strerror})", "fix it or set TTSQ_DATABASE_URL")
    if path.is_dir():
        return fail(f"{path} is a folder", "name a file in TTSQ_DATABASE_URL, as in sqlite:///folder/file.db")
    if path.exists():
        return None
    if embedded:
        return ok(f"{path} will be created by the first `ttsq run`")
    return fail(f"there is no database file {path}", "run `ttsq migrate`, or correct TTSQ_DATABASE_URL")


def _at_work(database: Database, described: str) -> Finding:
    if database.is_sqlite:
        return ok(described)
    with database.read() as connection:
        facts: Any = connection.execute(_FACTS).one()
        lacking = list(connection.execute(_LACKING, {"tables": sorted(Base.metadata.tables)}).scalars())
    if unusable := _unusable(facts, lacking, described):
        return unusable
    if facts.taken > CROWDED * facts.most:
        remedy = "raise max_connections, or lower TTSQ_DATABASE_CONNECTIONS of each worker"
        return warning(f"{described}; {facts.taken} of {facts.most} connections in use", remedy)
    with database.at_once() as connection:
        if not _hears_itself(connection):
            remedy = "use a session pool, or the server itself; until then the database is polled for jobs"
            return warning(f"{described}; notifications (LISTEN) don't arrive, as behind a transaction pooler", remedy)
    return ok(described)


def _unusable(facts: Any, lacking: list[str], described: str) -> Finding | None:  # noqa: ANN401 - a row
    if facts.read_only:
        remedy = "wait for the failover to complete, or set TTSQ_DATABASE_URL to the primary"
        return fail(f"{described}, but read-only: no job can be submitted, claimed or recorded", remedy)
    if lacking:
        return fail(f"{described}, but the role {facts.role} lacks {_some(lacking)}", GRANTS)
    if facts.encoding not in {"UTF8", "UTF-8"}:
        remedy = "create the database with ENCODING 'UTF8'"
        return fail(f"{described}, but its encoding is {facts.encoding}, which can't hold every text", remedy)
    return None


GRANTS: Final = "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES and USAGE ON ALL SEQUENCES (docs/operations.md)"


def _some(lacking: list[str]) -> str:
    more = len(lacking) - SHOWN_RIGHTS
    return ", ".join(lacking[:SHOWN_RIGHTS]) + (f" and {more} more" if more > 0 else "")


def _hears_itself(connection: Connection) -> bool:
    driver: Any = connection.connection.driver_connection
    connection.execute(text(f"LISTEN {CHANNEL}"))
    connection.execute(text(f"SELECT pg_notify('{CHANNEL}', '')"))
    heard = any(True for _ in driver.notifies(timeout=HEARD_SECONDS, stop_after=1))
    connection.execute(text(f"UNLISTEN {CHANNEL}"))
    return heard
