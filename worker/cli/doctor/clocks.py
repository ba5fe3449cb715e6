"""Do this machine, the database, the broker and the API agree on the time?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

from worker.cli.doctor.broker import PING_SECONDS
from worker.cli.doctor.findings import Finding, ok, warning
from worker.cli.talk.wording import duration
from worker.settings import Settings
from worker.store.database import Database

APART_SECONDS: Final = 2.0
"""Clocks further apart than this make pauses and deadlines start at times that people don't expect."""
WHOLE_SECOND: Final = timedelta(seconds=0.5)
"""A date in an HTTP header has its second cut off: on average it was half a second later."""


def check_clock(settings: Settings, database: Database) -> Finding:
    """Each clock that can be asked, against this machine's. One that doesn't answer has a line of its own elsewhere."""
    apart = dict(_offsets(settings, database))
    if not apart:
        return ok("one clock: everything is on this machine")
    name, worst = max(apart.items(), key=lambda one: abs(one[1]))
    if abs(worst) > APART_SECONDS:
        return warning(
            f"{name} is {duration(abs(worst))} {'ahead of' if worst > 0 else 'behind'} this machine",
            "set all clocks by NTP; the database's counts for leases and schedules, the API's for rate limits",
        )
    return ok(f"this machine agrees with {', '.join(apart)} within {max(abs(worst), 0.001):.3f} s")


def _offsets(settings: Settings, database: Database) -> Iterator[tuple[str, float]]:
    """Seconds by which each clock is ahead."""
    clocks: dict[str, Callable[[], datetime | None]] = {
        "the database": lambda: _database(database),
        "the broker": lambda: _broker(settings),
        "the API": lambda: _api(settings),
    }
    for name, ask in clocks.items():
        # Whatever keeps it from answering, the other checks tell.
        with suppress(Exception):
            before = datetime.now(UTC)
            theirs = ask()
            after = datetime.now(UTC)
            if theirs is not None:
                yield name, (theirs - (before + (after - before) / 2)).total_seconds()


def _database(database: Database) -> datetime | None:
    if database.is_sqlite:
        return None
    with database.read() as connection:
        return database.now(connection)


def _broker(settings: Settings) -> datetime | None:
    if not settings.broker_url.startswith(("redis://", "rediss://")):
        return None
    from redis import Redis  # noqa: PLC0415 - the embedded default has no use for it

    with closing(Redis.from_url(settings.broker_url, socket_timeout=PING_SECONDS)) as client:
        answer: Any = client.time()
    seconds, microseconds = answer
    return datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=microseconds)


def _api(settings: Settings) -> datetime | None:
    """By the date of any answer, for which no key is needed."""
    import urllib3  # noqa: PLC0415 - only the doctor asks without a client

    answer = urllib3.request("HEAD", settings.segmind_base_url, timeout=PING_SECONDS, retries=False, redirect=False)
    date = answer.headers.get("date")
    return parsedate_to_datetime(date) + WHOLE_SECOND if date else None
