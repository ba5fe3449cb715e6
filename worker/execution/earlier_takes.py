"""A job's takes that were refused as too short. Two of the same length are accepted: the text is that short."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from uuid import UUID

from sqlalchemy import select

from api_models.verdict import VerdictKind
from worker.audio.gate import Flaw, are_alike
from worker.audio.measures import Measures
from worker.store.database import Database
from worker.store.tables.jobs import Attempt

_LENGTH: Final = re.compile(rf"flaw {Flaw.TOO_SHORT}; length (\d+\.\d+) s")


def measured(flaw: Flaw, found: Measures) -> str:
    """A refused take's measurements in the ledger's format, which `agrees` parses."""
    return (
        f"flaw {flaw}; length {found.duration_s:.2f} s; peak {found.peak_dbfs:.1f} dBFS;"
        f" loudness {found.loudness_lufs:.1f} LUFS;"
        f" silent {found.silence_share:.0%}, at most {found.longest_silence_s:.1f} s at once,"
        f" {found.tail_silence_s:.2f} s at the end;"
        f" likeness {found.repeat_likeness:.2f} after {found.repeat_after_s:.1f} s"
    )


def details(database: Database, job_id: UUID) -> list[str]:
    """The ledger's details of this job's refused takes. Raises SQLAlchemyError."""
    query = select(Attempt.detail).where(Attempt.job_id == job_id, Attempt.verdict == VerdictKind.BAD_TAKE)
    with database.read() as connection:
        return [detail for detail in connection.execute(query).scalars() if detail]


def agrees(seconds: float, refused: Iterable[str]) -> bool:
    """Whether an earlier take, refused for its length, was as long as this one."""
    lengths = [float(found[1]) for detail in refused if (found := _LENGTH.match(detail))]
    return any(are_alike(seconds, length) for length in lengths)
