"""Takes that were listened to: what was found, what a listener said of them, and the rates learned from good ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Select, and_, or_, select, update
from sqlalchemy import text as sql

from worker.store import upserts
from worker.store.tables.takes import SpeakingRate, TakeRow


class Mark(StrEnum):
    """What a listener said of a take."""

    GOOD = "good"
    BAD = "bad"


PAIRS: Final = 400
"""Latest takes that a rate is learned from."""
ROWS_PER_POLL: Final = 2_000


class Voice(NamedTuple):
    """What a rate is learned for."""

    tenant: str
    model: str
    voice: str
    language: str
    source: str
    """Of the reference durations."""


@dataclass(frozen=True, slots=True)
class TakeRecord:
    job_id: UUID
    number: int
    tenant: str
    batch_id: UUID | None
    model: str
    voice: str
    language: str
    heard_at: datetime
    accepted: bool
    suspicious: bool
    seconds: float
    findings: str
    source: str = ""
    reference: float | None = None
    rung: str | None = None
    reason: str | None = None
    sentence: str | None = None
    start_seconds: float | None = None
    end_seconds: float | None = None
    mark: str | None = None

    @property
    def of_voice(self) -> Voice:
        return Voice(self.tenant, self.model, self.voice, self.language, self.source)


@dataclass(frozen=True, slots=True)
class RateRecord:
    of: Voice
    a: float
    b: float
    mad: float
    count: int
    since: datetime | None
    learned_at: datetime


def voice_of(voice_1: str | None, voice_2: str | None) -> str:
    return "+".join(filter(None, (voice_1, voice_2)))


def unheard(  # noqa: PLR0917 - a row's own columns
    job_id: UUID, number: int, tenant: str, batch_id: UUID | None, model: str, voice: str, now: datetime
) -> TakeRecord:
    """Return the record of a take that nothing listened to, for a mark."""
    return TakeRecord(
        job_id, number, tenant, batch_id, model, voice, "", now, accepted=False, suspicious=False, seconds=0.0,
        findings="[]",
    )  # fmt: skip


_COLUMNS: Final = tuple(getattr(TakeRow, name) for name in TakeRecord.__slots__)
_VOICE: Final = tuple(getattr(TakeRow, name) for name in Voice._fields)
_RATE_KEY: Final = tuple(getattr(SpeakingRate, name) for name in Voice._fields)
_UNLEARNED: Final = sql("NOT takes.learned")
_TEACHES: Final = and_(
    TakeRow.accepted.is_(True), TakeRow.reference.is_not(None), or_(TakeRow.mark.is_(None), TakeRow.mark != "bad")
)


def record(connection: Connection, take: TakeRecord) -> None:
    """Write or replace what was found in a take. A mark that it has stays."""
    values = asdict(take) | {"learned": not take.accepted or take.reference is None}
    kept = {name: value for name, value in values.items() if name not in {"job_id", "number", "mark"}}
    insert = upserts.insert(connection.dialect.name, TakeRow).values(values)
    connection.execute(insert.on_conflict_do_update(index_elements=["job_id", "number"], set_=kept))


def of_jobs(connection: Connection, jobs: Sequence[UUID]) -> list[TakeRecord]:
    query = select(*_COLUMNS).where(TakeRow.job_id.in_(jobs)).order_by(TakeRow.job_id, TakeRow.number)
    return _records(connection, query)


def of_batch(connection: Connection, batch_id: UUID) -> list[TakeRecord]:
    """Return the takes of a batch that have a row, documents' parts included."""
    return _records(connection, select(*_COLUMNS).where(TakeRow.batch_id == batch_id).order_by(TakeRow.heard_at))


def latest(connection: Connection, of: Voice) -> list[TakeRecord]:
    """Return the takes that a voice's rate may be learned from, the newest first."""
    query = select(*_COLUMNS).where(_is(_VOICE, of), TakeRow.accepted.is_(True), TakeRow.reference.is_not(None))
    return _records(connection, query.order_by(TakeRow.heard_at.desc()).limit(PAIRS))


def _records(connection: Connection, query: Select[Any]) -> list[TakeRecord]:
    return [TakeRecord(*row) for row in connection.execute(query)]


def use(connection: Connection, job_id: UUID, number: int) -> None:
    """Note which of a job's takes is its audio."""
    changed = update(TakeRow).where(TakeRow.job_id == job_id)
    connection.execute(changed.values(accepted=TakeRow.number == number))


def mark(connection: Connection, take: TakeRecord, verdict: Mark | None) -> None:
    """Keep what a listener said of a take, which may have had no row so far. A rate learns of it."""
    if not _is_known(connection, take):
        record(connection, take)
    which = (TakeRow.job_id == take.job_id) & (TakeRow.number == take.number)
    changed = update(TakeRow).where(which)
    connection.execute(changed.values(mark=None if verdict is None else str(verdict)))
    connection.execute(changed.where(TakeRow.reference.is_not(None)).values(learned=False))


def _is_known(connection: Connection, take: TakeRecord) -> bool:
    which = (TakeRow.job_id == take.job_id) & (TakeRow.number == take.number)
    return connection.execute(select(TakeRow.number).where(which)).first() is not None


def forget_texts(connection: Connection, jobs: Sequence[UUID]) -> None:
    """Remove the sentences, which are text."""
    which = TakeRow.job_id.in_(jobs), TakeRow.sentence.is_not(None)
    connection.execute(update(TakeRow).where(*which).values(sentence=None))


def _is(columns: Sequence[Any], of: Voice) -> ColumnElement[bool]:
    return and_(*(column == value for column, value in zip(columns, of, strict=True)))


def unlearned(connection: Connection) -> set[Voice]:
    """Return the voices with takes that their rates don't count yet."""
    some = select(*_VOICE).where(_UNLEARNED).order_by(TakeRow.heard_at).limit(ROWS_PER_POLL)
    return {Voice(*row) for row in connection.execute(some)}


def pairs(connection: Connection, of: Voice, *, since: datetime | None) -> list[tuple[float, float]]:
    """Return the reference and the length of the latest takes that a rate is learned from, oldest first."""
    latest = (
        select(TakeRow.reference, TakeRow.seconds)
        .where(_is(_VOICE, of), _TEACHES, *([] if since is None else [TakeRow.heard_at > since]))
        .order_by(TakeRow.heard_at.desc())
        .limit(PAIRS)
    )
    return [(float(reference), float(seconds)) for reference, seconds in connection.execute(latest) if reference][::-1]


def learned(connection: Connection, of: Voice) -> None:
    """Note that a voice's rate counts all of its takes."""
    connection.execute(update(TakeRow).where(_UNLEARNED, _is(_VOICE, of)).values(learned=True))


def rate(connection: Connection, of: Voice) -> RateRecord | None:
    return next(iter(rates(connection, _is(_RATE_KEY, of))), None)


def rates(connection: Connection, *which: ColumnElement[bool]) -> list[RateRecord]:
    """Return learned rates, those with most takes first."""
    others = (SpeakingRate.a, SpeakingRate.b, SpeakingRate.mad, SpeakingRate.count)
    query = select(*_RATE_KEY, *others, SpeakingRate.since, SpeakingRate.learned_at).where(*which)
    rows = connection.execute(query.order_by(SpeakingRate.count.desc(), *_RATE_KEY))
    return [RateRecord(Voice(*row[:5]), *row[5:]) for row in map(tuple, rows)]


def keep_rate(connection: Connection, found: RateRecord) -> None:
    values = found.of._asdict() | {"a": found.a, "b": found.b, "mad": found.mad, "count": found.count}
    values |= {"since": found.since, "learned_at": found.learned_at}
    changed = {name: value for name, value in values.items() if name not in Voice._fields}
    insert = upserts.insert(connection.dialect.name, SpeakingRate).values(values)
    connection.execute(insert.on_conflict_do_update(index_elements=list(Voice._fields), set_=changed))


def reset_rates(connection: Connection, found: Iterable[RateRecord], *, now: datetime) -> int:
    """Forget rates: takes heard until now no longer count. Returns how many."""
    count = 0
    for one in found:
        keep_rate(connection, replace(one, a=0.0, b=1.0, mad=0.0, count=0, since=now, learned_at=now))
        count += 1
    return count


def rates_of(
    *, tenant: str | None, model: str | None, voice: str | None, language: str | None
) -> list[ColumnElement[bool]]:
    """Return the conditions that select rates; None selects all."""
    given = {"tenant": tenant, "model": model, "voice": voice, "language": language}
    return [getattr(SpeakingRate, name) == value for name, value in given.items() if value is not None]
