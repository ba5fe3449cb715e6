"""Compare the clocks of this machine, the database, the broker and the API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

from worker.cli.console.format import duration
from worker.cli.doctor import broker
from worker.cli.doctor.findings import Finding, ok, warning
from worker.settings import Settings
from worker.store.database import Database

PING_SECONDS: Final = 3.0
APART_SECONDS: Final = 2.0
"""A larger difference shifts pauses and deadlines noticeably."""
WHOLE_SECOND: Final = timedelta(seconds=1)
"""An HTTP date is truncated to the second, so the time was up to this much later."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A reading of another clock: between `first` and `last`, both timezone-aware."""

    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class Offset:
    """Bounds on the seconds by which a clock is ahead of this machine's.

    A response was created at some time between request and arrival, so a slow one yields wide bounds.
    """

    least: float
    most: float

    @classmethod
    def found(cls, reading: Reading, requested: datetime, arrived: datetime) -> Offset:
        """Bound the offset by a reading requested and received at these times of this machine."""
        return cls((reading.first - arrived).total_seconds(), (reading.last - requested).total_seconds())

    @property
    def sure(self) -> float:
        """Seconds ahead (negative: behind) that the clock is at least."""
        return max(self.least, 0.0) + min(self.most, 0.0)

    @property
    def bound(self) -> float:
        """Maximum seconds of difference."""
        return max(abs(self.least), abs(self.most))


def check_clock(settings: Settings, database: Database, *, broker_answers: bool = True) -> Finding:
    """Compare each reachable clock with this machine's. An unreachable service fails its own check."""
    offsets = dict(_offsets(settings, database, broker_answers=broker_answers))
    if not offsets:
        return ok("only this machine's clock is used")
    name, worst = max(offsets.items(), key=lambda one: abs(one[1].sure))
    if abs(worst.sure) > APART_SECONDS:
        return warning(
            f"{name} is at least {duration(abs(worst.sure))} {'ahead of' if worst.sure > 0 else 'behind'} this machine",
            "synchronize all clocks with NTP; leases and schedules use the database's, rate limits the API's",
        )
    within = max(offset.bound for offset in offsets.values())
    return ok(f"this machine agrees with {', '.join(offsets)} within {max(within, 0.001):.3f} s")


def _offsets(settings: Settings, database: Database, *, broker_answers: bool) -> Iterator[tuple[str, Offset]]:
    clocks: dict[str, Callable[[], Reading | None]] = {
        "the database": lambda: _database(database),
        "the broker": lambda: _broker(settings) if broker_answers else None,
        "the API": lambda: _api(settings),
    }
    for name, ask in clocks.items():
        # Other checks report why a service does not respond.
        with suppress(Exception):
            requested = datetime.now(UTC)
            reading = ask()
            if reading is not None:
                yield name, Offset.found(reading, requested, datetime.now(UTC))


def _database(database: Database) -> Reading | None:
    if database.is_sqlite:
        return None
    with database.read() as connection:
        now = database.now(connection)
    return Reading(now, now)


def _broker(settings: Settings) -> Reading | None:
    if settings.embedded:
        return None
    with broker.client(settings) as redis:
        answer: Any = redis.time()
    seconds, microseconds = answer
    now = datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=microseconds)
    return Reading(now, now)


def _api(settings: Settings) -> Reading | None:
    """Read the Date header of any response; needs no API key."""
    import urllib3  # noqa: PLC0415 - only the doctor needs it

    answer = urllib3.request("HEAD", settings.segmind_base_url, timeout=PING_SECONDS, retries=False, redirect=False)
    header = answer.headers.get("date")
    if not header:
        return None
    date = parsedate_to_datetime(header)
    return Reading(date, date + WHOLE_SECOND)
