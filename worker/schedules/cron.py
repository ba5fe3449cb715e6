"""Computes the due times of a cron expression in a time zone. Pure; takes and returns UTC times.

When clocks change, jobs at a fixed hour run once that day, as in Debian's cron.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError


class BadTimesError(ValueError):
    """The cron expression or the time zone is invalid."""


def zone(timezone: str) -> tzinfo:
    try:
        return UTC if timezone == "UTC" else ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):
        raise BadTimesError(f"{timezone!r} is not a time zone; use one such as Europe/Berlin, or UTC") from None


def next_after(expression: str, timezone: str, moment: datetime) -> datetime | None:
    """Return the first time after `moment`; None if there is none in the next fifty years. Raises BadTimesError: the
    expression or the time zone is invalid.
    """
    tz = zone(timezone)
    try:
        times = CronSim(expression, moment.astimezone(tz))
    except CronSimError as error:
        remedy = "use minute, hour, day, month and weekday, such as '30 2 * * MON-FRI'"
        raise BadTimesError(f"{expression!r} is not a cron expression ({error}); {remedy}") from None
    found = next(times, None)
    return None if found is None else found.astimezone(UTC)
