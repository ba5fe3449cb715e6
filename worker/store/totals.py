"""Counters that only grow: jobs by outcome, attempts by verdict, dollars, bytes, and histograms of durations.

The leader counts each attempt in the transaction in which it takes note of it, so a counter is exact through crashes,
restarts and purges. Other processes add rows of their own, which never wait for the leader's, and the leader folds
them. Weakness: a failed job that is retried before the leader has read its last attempt counts no failure.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import ARRAY, BigInteger, Connection, String, bindparam, cast, column, delete, func, literal, select

from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from worker.store import upserts
from worker.store.tables.totals import Total
from worker.store.types import PICODOLLARS

if TYPE_CHECKING:
    from worker.store.queries.attempts import Ended

FOLDED: Final = 0
"""The part that holds the folded total. Only the leader writes it."""
BUCKETS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 600.0)
"""Upper bounds of the histograms of durations, in seconds."""
BEYOND: Final = "+Inf"
_BOUNDS_MS: Final = tuple(bound * 1_000 for bound in BUCKETS)
_LABELS: Final = (*(f"{bound:g}" for bound in BUCKETS), BEYOND)
SUM: Final = "sum"
"""The label of a histogram's sum, in milliseconds."""
NO_CALL: Final = frozenset({VerdictKind.CACHED, VerdictKind.RELEASED, VerdictKind.LOST})
"""Verdicts of attempts without a finished call: their duration says nothing about the API."""


class Name(StrEnum):
    JOBS = "jobs"
    ATTEMPTS = "attempts"
    DOLLARS = "dollars"
    BYTES = "bytes"
    ATTEMPT_SECONDS = "attempt_seconds"
    CALL_SECONDS = "call_seconds"
    UPLOAD_SECONDS = "upload_seconds"
    WORKERS_LOST = "workers_lost"
    DROPPED = "dropped"


class Key(NamedTuple):
    name: Name
    label: str = ""
    model: str = ""
    tenant: str = ""


Changes = Mapping[Key, int]

_KEY: Final = (Total.name, Total.label, Total.model, Total.tenant)
_COLUMNS: Final = ("name", "label", "model", "tenant", "part", "value")
_TEXTS: Final = ARRAY(String)


def of_attempts(ended: Iterable[Ended]) -> Counter[Key]:
    found: Counter[Key] = Counter()
    for one in ended:
        found[Key(Name.ATTEMPTS, one.verdict, one.model)] += 1
        if one.cost:
            found[Key(Name.DOLLARS, model=one.model, tenant=one.tenant)] += int(one.cost * PICODOLLARS)
        if one.outcome is not None:
            found[Key(Name.JOBS, one.outcome)] += 1
        if one.audio_bytes:
            found[Key(Name.BYTES, model=one.model)] += one.audio_bytes
        if one.verdict not in NO_CALL:
            milliseconds = round((one.finished_at - one.started_at).total_seconds() * 1_000)
            _observe(found, Name.ATTEMPT_SECONDS, one.model, milliseconds)
        _observe(found, Name.CALL_SECONDS, one.model, one.call_ms)
        _observe(found, Name.UPLOAD_SECONDS, one.model, one.upload_ms)
    return found


def _observe(found: Counter[Key], name: Name, model: str, milliseconds: int | None) -> None:
    if milliseconds is not None:
        found[Key(name, bucket(milliseconds), model)] += 1
        found[Key(name, SUM, model)] += max(0, milliseconds)


def bucket(milliseconds: int) -> str:
    """Return the label of the bucket that a duration belongs to: its upper bound in seconds."""
    return _LABELS[bisect_left(_BOUNDS_MS, milliseconds)]


def add(connection: Connection, changes: Changes) -> None:
    """Add to the folded totals, in one statement. Only for the leading dispatcher, within its tick."""
    _add(connection, {key: value for key, value in changes.items() if value}, FOLDED)


def add_apart(connection: Connection, changes: Changes) -> None:
    """Add rows that the leader folds later: for every other process, which must not wait for the leader's rows."""
    part = FOLDED if connection.dialect.name == "sqlite" else random.getrandbits(62) + 1
    _add(connection, {key: value for key, value in changes.items() if value}, part)


def jobs_ended(connection: Connection, outcome: JobStatus, number: int) -> None:
    """Count jobs that ended without an attempt of their own."""
    add_apart(connection, {Key(Name.JOBS, str(outcome)): number})


def _add(connection: Connection, changes: Changes, part: int) -> None:
    if not changes:
        return
    ordered = sorted(changes.items())  # one order of locks
    if connection.dialect.name == "postgresql":
        columns = {f"{name}s": [str(key[place]) for key, _ in ordered] for place, name in enumerate(_COLUMNS[:4])}
        connection.execute(_ADD_ALL, columns | {"values": [value for _, value in ordered], "part": part})
        return
    rows = [
        {**dict(zip(_COLUMNS, map(str, key), strict=False)), "part": part, "value": value} for key, value in ordered
    ]
    connection.execute(_ADD_EACH, rows)


def _on_conflict(added: Any) -> Any:  # noqa: ANN401 - one of two classes with the same methods
    return added.on_conflict_do_update(
        index_elements=["name", "label", "model", "tenant", "part"],
        set_={"value": Total.value + added.excluded.value},
    )


def _add_all() -> Any:  # noqa: ANN401 - likewise
    """Build the statement for PostgreSQL: the rows arrive as arrays, in one round trip."""
    arrays = [bindparam(f"{name}s", type_=_TEXTS) for name in _COLUMNS[:4]]
    rows = func.unnest(*arrays, bindparam("values", type_=ARRAY(BigInteger))).table_valued(
        *(column(name) for name in (*_COLUMNS[:4], "value")), name="rows"
    )
    rows = rows.render_derived()
    part = cast(bindparam("part"), BigInteger)
    chosen = select(*(rows.c[name] for name in _COLUMNS[:4]), part, rows.c["value"])
    return _on_conflict(upserts.insert("postgresql", Total).from_select(_COLUMNS, chosen))


_ADD_ALL: Final = _add_all()
_ADD_EACH: Final = _on_conflict(upserts.insert("sqlite", Total))


def _fold() -> Any:  # noqa: ANN401 - likewise
    taken = delete(Total).where(Total.part > FOLDED).returning(*Total.__table__.columns).cte("taken")
    kind = [taken.c[part.key] for part in _KEY]
    sums = select(*kind, literal(FOLDED), cast(func.sum(taken.c["value"]), BigInteger)).group_by(*kind).order_by(*kind)
    return _on_conflict(upserts.insert("postgresql", Total).from_select(_COLUMNS, sums))


_FOLD: Final = _fold()


def fold(connection: Connection) -> None:
    """Fold the other processes' rows into the totals. Only for the leading dispatcher, within its tick."""
    if connection.dialect.name == "postgresql":
        connection.execute(_FOLD)


def read(connection: Connection) -> dict[Key, int]:
    """Return every counter, folded or not."""
    rows = connection.execute(select(*_KEY, cast(func.sum(Total.value), BigInteger)).group_by(*_KEY))
    return {Key(Name(name), label, model, tenant): value for name, label, model, tenant, value in rows}
