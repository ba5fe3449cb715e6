"""Waiting for a condition with a bound. The only place in the tests of a cluster where anything sleeps."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from worker.store.database import is_passing

POLL_SECONDS: Final = 0.05

T = TypeVar("T")


class NotInTimeError(AssertionError):
    """What was waited for did not come about; the message says what there was instead."""

    def __init__(self, what: str, seconds: float, instead: str) -> None:
        super().__init__(f"{what}: not within {seconds:g} s; instead:\n{instead}")
        self.what = what
        self.seconds = seconds


def wait_for(
    look: Callable[[], T | None],
    *,
    seconds: float,
    what: str,
    instead: Callable[[], str] = lambda: "nothing more is known",
) -> T:
    """The first thing that `look` returns and that is true. A database that is away for a while is waited for too.

    Raises:
        NotInTimeError: there was none within `seconds`.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            if found := look():
                return found
        except SQLAlchemyError as error:
            if not is_passing(error):
                raise
        if time.monotonic() > deadline:
            raise NotInTimeError(what, seconds, instead())
        time.sleep(POLL_SECONDS)
