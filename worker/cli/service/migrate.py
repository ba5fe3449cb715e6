"""`ttsq migrate`."""

from __future__ import annotations


def migrate() -> None:
    """Bring the database of the settings to this version's tables. Does nothing where they are there already."""
    from worker.cli.queue import opening  # noqa: PLC0415 - `ttsq --help` doesn't pay for the libraries behind it
    from worker.cli.talk.errors import NewerDatabaseError  # noqa: PLC0415 - likewise
    from worker.cli.talk.terminal import Terminal  # noqa: PLC0415 - likewise
    from worker.store import schema  # noqa: PLC0415 - likewise

    terminal = Terminal()
    database = opening.connect(opening.settings(terminal))
    where = database.url.render_as_string(hide_password=True)
    try:
        before = schema.revision(database)
        if before is not None and before > schema.HEAD:
            raise NewerDatabaseError(before, schema.HEAD)
        schema.upgrade(database)
    finally:
        database.close()
    if before == schema.HEAD:
        terminal.result(f"{where} is at revision {schema.HEAD} already.")
    else:
        terminal.result(f"{where} is now at revision {schema.HEAD} (before: {before or 'no tables'}).")
