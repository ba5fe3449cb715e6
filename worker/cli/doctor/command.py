"""`ttsq doctor`."""

from __future__ import annotations

from typing import Annotated

import typer


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object with every check.")] = False,
) -> None:
    """Check settings, database, broker, audio store, spool, key, clock and workers. Costs nothing."""
    from worker.cli.doctor.examining import examine  # noqa: PLC0415 - `ttsq --help` doesn't pay for the libraries behind it
    from worker.cli.talk.leaving import leave  # noqa: PLC0415 - likewise
    from worker.cli.talk.terminal import Terminal  # noqa: PLC0415 - likewise

    leave(examine(Terminal(as_json=as_json), as_json=as_json))
