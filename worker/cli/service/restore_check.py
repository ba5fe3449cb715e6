"""`ttsq restore-check`."""

from __future__ import annotations

from typing import Annotated

import typer


def restore_check(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Report what would change, and change nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """After restoring a backup: take over what was bought since, before any worker starts.

    Asks the audio store for every unfinished job. Audio that is there ends its job, and its cost enters the ledger; all
    other jobs are marked, so that workers look for their audio before they buy it. Event ids move ahead, so that no
    webhook receives an id twice. Safe to repeat; refuses to work while workers run.
    """
    from worker.cli.service.restoring import check_restored  # noqa: PLC0415 - `ttsq --help` doesn't pay for it
    from worker.cli.talk.leaving import leave  # noqa: PLC0415 - likewise
    from worker.cli.talk.terminal import Terminal  # noqa: PLC0415 - likewise

    leave(check_restored(Terminal(as_json=as_json), dry_run=dry_run))
