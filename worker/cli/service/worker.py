"""`ttsq worker`."""

from __future__ import annotations

from typing import Annotated

import typer


def worker(
    concurrency: Annotated[
        int | None, typer.Option(help="Calls in flight at once.", show_default="TTSQ_CONCURRENCY, or 100")
    ] = None,
) -> None:
    """Start one more worker: the same as `celery -A worker.app worker`. Ctrl-C stops it in good order."""
    from worker.cli.service.becoming import become_worker  # noqa: PLC0415 - `ttsq --help` doesn't pay for the database's library

    become_worker(concurrency)
