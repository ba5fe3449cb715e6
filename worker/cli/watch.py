"""Follow jobs until all have finished, through restarts of the database. Changes nothing."""

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
FIRST_POLL_SECONDS: Final = 0.05
POLLS_PER_WAIT: Final = 8
"""While a run is young, the interval is this fraction of the wait so far: a short run is noticed to have finished."""
INTERVALS_PER_POLL: Final = 10
"""A poll may use a tenth of the time: counting a million rows four times a second would slow the queue down."""

Poll = Callable[[], Snapshot]


def watch(
    poll: Poll,
    view: Progress,
    interrupts: Interrupts,
    *,
    poll_seconds: float = POLL_SECONDS,
    enough: Callable[[Snapshot], bool] = lambda _: False,
) -> Snapshot:
    """Show progress until all jobs have finished, `enough` returns true, or a signal arrives. Returns the last
    snapshot."""
    snapshot = poll()
    view.show(snapshot)
    started, elapsed = time.monotonic(), 0.0
    while not snapshot.all_finished and not enough(snapshot) and not interrupts.count:
        young = max(FIRST_POLL_SECONDS, (time.monotonic() - started) / POLLS_PER_WAIT)
        interrupts.wait(max(min(young, poll_seconds), elapsed * INTERVALS_PER_POLL))
        began = time.monotonic()
        snapshot = poll_again(poll, view) or snapshot
        elapsed = time.monotonic() - began
    return snapshot


def poll_again(poll: Poll, view: Progress) -> Snapshot | None:
    """Show a new snapshot; returns None while the database is unavailable."""
    try:
        snapshot = poll()
    except SQLAlchemyError as error:
        if not is_passing(error):
            raise
        view.warn(f"{explain(error).message}; waiting for it to recover")
        return None
    view.show(snapshot)
    return snapshot
