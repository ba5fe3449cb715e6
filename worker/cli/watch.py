"""Following jobs until none is left, through restarts of the database. Changes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from worker.cli.console.exits import Interrupts
from worker.cli.console.explain import explain
from worker.cli.console.progress import Progress
from worker.cli.snapshot import Snapshot
from worker.store.database import is_passing

POLL_SECONDS: Final = 0.25
POLLS_SHARE: Final = 10
"""Asking may take a tenth of the time: counting a million rows four times a second would slow down the work itself."""

Look = Callable[[], Snapshot]


def watch(
    look: Look,
    view: Progress,
    interrupts: Interrupts,
    *,
    poll_seconds: float = POLL_SECONDS,
    enough: Callable[[Snapshot], bool] = lambda _: False,
) -> Snapshot:
    """Show the figures until all jobs are over, they are `enough`, or a signal comes. Returns the last ones."""
    snapshot = look()
    view.show(snapshot)
    took = 0.0
    while not snapshot.all_finished and not enough(snapshot) and not interrupts.count:
        interrupts.wait(max(poll_seconds, took * POLLS_SHARE))
        began = time.monotonic()
        snapshot = poll_again(look, view) or snapshot
        took = time.monotonic() - began
    return snapshot


def poll_again(look: Look, view: Progress) -> Snapshot | None:
    """Show newer figures; None where the database is away just now."""
    try:
        snapshot = look()
    except SQLAlchemyError as error:
        if not is_passing(error):
            raise
        view.warn(f"{explain(error).message}; waiting for it to come back")
        return None
    view.show(snapshot)
    return snapshot
