"""`ttsq migrate`."""

from __future__ import annotations

from worker.cli import database as cli_database
from worker.cli.console.errors import NewerDatabaseError
from worker.cli.console.terminal import Terminal
from worker.store import schema


def migrate() -> None:
    """Create or upgrade the database schema. Safe to re-run."""

    terminal = Terminal()
    database = cli_database.connect(cli_database.settings(terminal))
    where = database.url.render_as_string(hide_password=True)
    try:
        before = schema.revision(database)
        if before is not None and before > schema.HEAD:
            raise NewerDatabaseError(before, schema.HEAD)
        schema.upgrade(database)
    finally:
        database.close()
    if before == schema.HEAD:
        terminal.result(f"{where} is already at revision {schema.HEAD}.")
    else:
        terminal.result(f"{where} is now at revision {schema.HEAD} (before: {before or 'no tables'}).")
