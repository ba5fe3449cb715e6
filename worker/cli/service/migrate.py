"""`ttsq migrate`."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.cli import database as cli_database
from worker.cli.console.errors import NewerDatabaseError
from worker.cli.console.terminal import Terminal
from worker.store import schema


def migrate(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Create or upgrade the database schema. Safe to re-run."""

    terminal = Terminal(as_json=as_json)
    database = cli_database.connect(cli_database.settings(terminal))
    where = database.url.render_as_string(hide_password=True)
    try:
        before = schema.revision(database)
        if before is not None and before > schema.HEAD:
            raise NewerDatabaseError(before, schema.HEAD)
        schema.upgrade(database)
    finally:
        database.close()
    message = f"{where} is now at revision {schema.HEAD} (before: {before or 'no tables'})."
    if before == schema.HEAD:
        message = f"{where} is already at revision {schema.HEAD}."
    terminal.done(message, revision=schema.HEAD, before=before)
