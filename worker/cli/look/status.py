"""`ttsq status [BATCH]`."""

from __future__ import annotations

from typing import Annotated

import typer


def status(
    batch: Annotated[
        str | None, typer.Argument(metavar="[BATCH]", help="A batch: its id, the beginning of it, or its file's name.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Follow it until all is over.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object, with the keys of `ttsq run --json`.")
    ] = False,
) -> None:
    """Show how the queue stands, or one batch: done, failed, waiting, spent, and what holds it."""
    from worker.cli.look import standing  # noqa: PLC0415 - `ttsq --help` doesn't pay for the database's library
    from worker.cli.talk.leaving import leave  # noqa: PLC0415 - likewise
    from worker.cli.talk.terminal import Terminal  # noqa: PLC0415 - likewise

    leave(standing.show(batch, Terminal(as_json=as_json), as_json=as_json, follow=watch))
