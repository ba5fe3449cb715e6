"""How long things took, read from the ledger's own times. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final
from uuid import UUID

from tests.chaos.event_timeline import Happening
from tests.chaos.history import AttemptEnd, History

AFTERMATH: Final = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Recovery:
    """One job that its worker's death interrupted, and how long until it ran elsewhere."""

    job_id: UUID
    led: bool
    """Whether the dead worker was the dispatcher's host."""
    seconds: float


def recoveries(history: History) -> list[Recovery]:
    """Every job that a killed worker held and had not recorded."""
    rows = history.attempts_by_job()
    found = []
    for kill in history.kills:
        for job_id, number in kill.running:
            later = [row.started_at for row in rows.get(job_id, []) if row.number > number]
            if later:
                found.append(Recovery(job_id, kill.led, (min(later) - kill.at).total_seconds()))
    return found


def starts_again(attempts: Sequence[AttemptEnd], after: datetime) -> float | None:
    """Seconds until a job that began after this moment had been recorded with its audio; None where none ever was."""
    ends = [row.finished_at for row in attempts if row.succeeded and row.started_at > after]
    return (min(ends) - after).total_seconds() if ends else None


@dataclass(frozen=True, slots=True)
class Gap:
    """The longest time without a recorded success, during a disturbance and the twenty seconds after it."""

    what: str
    whom: str
    lasted: float
    seconds: float


def gaps(happenings: Sequence[Happening], history: History, until: datetime) -> list[Gap]:
    """One a disturbance. `until` is when work ran out, after which nothing is missed."""
    ends = sorted(row.finished_at for row in history.attempts if row.succeeded)
    return [_gap(happening, ends, until) for happening in happenings]


def _gap(happening: Happening, ends: Sequence[datetime], until: datetime) -> Gap:
    ended = min(happening.ended or until, until)
    last = min(ended + AFTERMATH, until)
    lasted = (ended - happening.began).total_seconds()
    return Gap(happening.what, happening.whom, lasted, _longest(ends, happening.began, last))


def longest_gap(attempts: Sequence[AttemptEnd], began: datetime, ended: datetime) -> float:
    """The longest time without a recorded success between two moments, in seconds."""
    return _longest(sorted(row.finished_at for row in attempts if row.succeeded), began, ended)


def _longest(ends: Sequence[datetime], began: datetime, ended: datetime) -> float:
    inside = ends[bisect_left(ends, began) : bisect_left(ends, ended)]
    pauses = (later - earlier for earlier, later in pairwise([began, *inside, ended]))
    return max(pauses, default=timedelta()).total_seconds()
