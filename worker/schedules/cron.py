"""When a cron expression is due, by the clock of a time zone. Pure; given and returned are moments in UTC.

Where a clock is set forward or back, jobs at a fixed hour run once that day, as Debian's cron has it.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError


class BadTimesError(ValueError):
    """The expression or its time zone is none."""


def zone(timezone: str) -> tzinfo:
    """The time zone of this name.

    Raises:
        BadTimesError: there is none.
    """
    try:
        return UTC if timezone == "UTC" else ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):
        raise BadTimesError(f"{timezone!r} is no time zone; give one such as Europe/Berlin, or UTC") from None


def next_after(expression: str, timezone: str, moment: datetime) -> datetime | None:
    """The first time behind `moment`; None where there is none in the next fifty years.

    Raises:
        BadTimesError: they make no sense.
    """
    here = zone(timezone)
    try:
        times = CronSim(expression, moment.astimezone(here))
    except CronSimError as error:
        remedy = "give minute, hour, day, month and weekday, such as '30 2 * * MON-FRI'"
        raise BadTimesError(f"{expression!r} is no cron expression ({error}); {remedy}") from None
    found = next(times, None)
    return None if found is None else found.astimezone(UTC)
