"""Do this machine, the database, the broker and the API agree on the time?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

from redis import Redis

from worker.cli.console.format import duration
from worker.cli.doctor.checks import PING_SECONDS
from worker.cli.doctor.findings import Finding, ok, warning
from worker.settings import Settings
from worker.store.database import Database

APART_SECONDS: Final = 2.0
"""Clocks further apart than this make pauses and deadlines start at times that people don't expect."""
WHOLE_SECOND: Final = timedelta(seconds=1)
"""A date in an HTTP header has its second cut off: it was up to this much later."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What another clock said: some moment from the first to the last, both aware."""

    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class Offset:
    """By how many seconds a clock is ahead of this machine's: not less than the one, not more than the other.

    An answer was made at some time between question and arrival. A slow one tells little, and accuses no clock.
    """

    least: float
    most: float

    @classmethod
    def found(cls, reading: Reading, asked: datetime, arrived: datetime) -> Offset:
        """From a reading that was asked for and arrived at these times of this machine."""
        return cls((reading.first - arrived).total_seconds(), (reading.last - asked).total_seconds())

    @property
    def sure(self) -> float:
        """The seconds by which it is ahead (or behind, negative) whatever the answer's way took."""
        return max(self.least, 0.0) + min(self.most, 0.0)

    @property
    def bound(self) -> float:
        """The seconds that it is apart at the most."""
        return max(abs(self.least), abs(self.most))


def check_clock(settings: Settings, database: Database) -> Finding:
    """Each clock that can be asked, against this machine's. One that doesn't answer has a line of its own elsewhere."""
    offsets = dict(_offsets(settings, database))
    if not offsets:
        return ok("one clock: everything is on this machine")
    name, worst = max(offsets.items(), key=lambda one: abs(one[1].sure))
    if abs(worst.sure) > APART_SECONDS:
        return warning(
            f"{name} is at least {duration(abs(worst.sure))} {'ahead of' if worst.sure > 0 else 'behind'} this machine",
            "set all clocks by NTP; the database's counts for leases and schedules, the API's for rate limits",
        )
    within = max(offset.bound for offset in offsets.values())
    return ok(f"this machine agrees with {', '.join(offsets)} within {max(within, 0.001):.3f} s")


def _offsets(settings: Settings, database: Database) -> Iterator[tuple[str, Offset]]:
    clocks: dict[str, Callable[[], Reading | None]] = {
        "the database": lambda: _database(database),
        "the broker": lambda: _broker(settings),
        "the API": lambda: _api(settings),
    }
    for name, ask in clocks.items():
        # Whatever keeps it from answering, the other checks tell.
        with suppress(Exception):
            asked = datetime.now(UTC)
            reading = ask()
            if reading is not None:
                yield name, Offset.found(reading, asked, datetime.now(UTC))


def _database(database: Database) -> Reading | None:
    if database.is_sqlite:
        return None
    with database.read() as connection:
        now = database.now(connection)
    return Reading(now, now)


def _broker(settings: Settings) -> Reading | None:
    if not settings.broker_url.startswith(("redis://", "rediss://")):
        return None

    with closing(Redis.from_url(settings.broker_url, socket_timeout=PING_SECONDS)) as client:
        answer: Any = client.time()
    seconds, microseconds = answer
    now = datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=microseconds)
    return Reading(now, now)


def _api(settings: Settings) -> Reading | None:
    """By the date of any answer, for which no key is needed."""
    import urllib3  # noqa: PLC0415 - only the doctor asks without a client

    answer = urllib3.request("HEAD", settings.segmind_base_url, timeout=PING_SECONDS, retries=False, redirect=False)
    header = answer.headers.get("date")
    if not header:
        return None
    date = parsedate_to_datetime(header)
    return Reading(date, date + WHOLE_SECOND)
