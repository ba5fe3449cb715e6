"""The account's state: its pace, and the gates that hold jobs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, select, update

from api_models.verdict import GateScope
from worker.store import upserts
from worker.store.outbox import events
from worker.store.tables.account import GateRow, PaceRow

ACCOUNT: Final = "default"
"""One account per deployment; the column leaves room for more."""

OPERATOR: Final = "operator"
"""The code of a gate that an operator closed: it is never probed, and only an operator opens it."""


@dataclass(frozen=True, slots=True)
class PaceState:
    rpm: float | None = None
    next_start_at: datetime | None = None
    paused_until: datetime | None = None
    strikes: int = 0
    message: str | None = None
    search: str | None = None
    """State of the search for an unknown limit, in the dispatcher's format."""
    recent: object = field(default=None, compare=False)
    """The dispatcher's count of calls started in the last minute. Not stored: a new leader starts without it."""
    ticked_at: datetime | None = field(default=None, compare=False)
    """When this leader's last tick began. Not stored."""


@dataclass(frozen=True, slots=True)
class Gate:
    name: str
    scope: GateScope
    model: str | None
    code: str
    message: str
    since: datetime
    next_probe_at: datetime
    probes: int


def gate_name(scope: GateScope, model: str | None) -> str:
    return f"model:{model}" if scope is GateScope.MODEL else str(scope)


def load_pace(connection: Connection) -> PaceState:
    row = connection.execute(
        select(
            PaceRow.rpm,
            PaceRow.next_start_at,
            PaceRow.paused_until,
            PaceRow.strikes,
            PaceRow.message,
            PaceRow.search,
        ).where(PaceRow.account == ACCOUNT)
    ).one_or_none()
    return PaceState() if row is None else PaceState(*row)


def save_pace(connection: Connection, pace: PaceState) -> None:
    values = {
        "rpm": pace.rpm,
        "next_start_at": pace.next_start_at,
        "paused_until": pace.paused_until,
        "strikes": pace.strikes,
        "message": pace.message,
        "search": pace.search,
    }
    connection.execute(
        upserts.insert(connection.dialect.name, PaceRow)
        .values(account=ACCOUNT, **values)
        .on_conflict_do_update(index_elements=["account"], set_=values)
    )


_GATE = (
    GateRow.name,
    GateRow.scope,
    GateRow.model,
    GateRow.code,
    GateRow.message,
    GateRow.since,
    GateRow.next_probe_at,
    GateRow.probes,
)
_CLOSED = select(*_GATE).where(GateRow.closed).order_by(GateRow.since)


def closed_gates(connection: Connection) -> list[Gate]:
    return [_gate(row) for row in connection.execute(_CLOSED)]


def known_gates(connection: Connection) -> list[tuple[Gate, bool]]:
    """Return every gate that was ever closed, with its latest reason and whether it is closed now; the latest first."""
    rows = connection.execute(select(*_GATE, GateRow.closed).order_by(GateRow.closed.desc(), GateRow.since.desc()))
    return [(_gate(row[:8]), row[8]) for row in rows]


def hold_gate(connection: Connection, scope: GateScope, model: str | None, *, message: str, now: datetime) -> None:
    name, model = gate_name(scope, model), model if scope is GateScope.MODEL else None
    held = {"closed": True, "code": OPERATOR, "message": message, "since": now, "next_probe_at": now, "probes": 0}
    events.take_turn(connection)
    was_closed = connection.execute(select(GateRow.closed).where(GateRow.name == name)).scalar()
    connection.execute(
        upserts.insert(connection.dialect.name, GateRow)
        .values(name=name, scope=scope, model=model, **held)
        .on_conflict_do_update(index_elements=["name"], set_=held)
    )
    if not was_closed:
        _record_event(connection, events.HELD, Gate(name, scope, model, OPERATOR, message, now, now, 0), now)


def close_gate(
    connection: Connection,
    scope: GateScope,
    model: str | None,
    *,
    code: str,
    message: str,
    next_probe_at: datetime,
    now: datetime,
) -> bool:
    """Close a gate and write its event. Returns True only if this call closed it."""
    name, model = gate_name(scope, model), model if scope is GateScope.MODEL else None
    gate = Gate(name, scope, model, code, message, since=now, next_probe_at=next_probe_at, probes=0)
    fresh = {
        "closed": True,
        "code": code,
        "message": message,
        "since": now,
        "next_probe_at": next_probe_at,
        "probes": 0,
    }
    events.take_turn(connection)
    closed = connection.execute(
        upserts.insert(connection.dialect.name, GateRow)
        .values(name=name, scope=scope, model=model, **fresh)
        .on_conflict_do_update(index_elements=["name"], set_=fresh, where=~GateRow.closed)
        .execution_options(preserve_rowcount=True)  # SQLAlchemy discards an INSERT's row count otherwise
    ).rowcount
    if closed:
        _record_event(connection, events.HELD, gate, now)
    return closed > 0


def still_closed(connection: Connection, name: str, *, code: str, message: str) -> None:
    """Update a closed gate's code and message after the same error; keep its time. Gates closed by an operator keep
    theirs.
    """
    events.take_turn(connection)
    connection.execute(
        update(GateRow)
        .where(GateRow.name == name, GateRow.closed, GateRow.code != OPERATOR)
        .values(code=code, message=message)
    )


def open_gate(connection: Connection, name: str, *, now: datetime | None = None) -> bool:
    """Open a gate and write its event, dated `now`. Returns True only if this call opened it."""
    events.take_turn(connection)
    row = connection.execute(
        update(GateRow).where(GateRow.name == name, GateRow.closed).values(closed=False).returning(*_GATE)
    ).one_or_none()
    if row is None:
        return False
    _record_event(connection, events.RELEASED, _gate(row), now or datetime.now(UTC))
    return True


def begin_probe(connection: Connection, gate: Gate, *, next_probe_at: datetime) -> bool:
    """Record a probe of a closed gate and the time of the next one. Returns False if another probe was first."""
    events.take_turn(connection)
    return (
        connection.execute(
            update(GateRow)
            .where(GateRow.name == gate.name, GateRow.closed, GateRow.probes == gate.probes)
            .values(probes=GateRow.probes + 1, next_probe_at=next_probe_at)
        ).rowcount
        > 0
    )


def put_off_probe(connection: Connection, name: str, *, until: datetime) -> None:
    """Make no probe before `until`, because a job behind the gate will try it by then."""
    events.take_turn(connection)
    connection.execute(
        update(GateRow)
        .where(GateRow.name == name, GateRow.closed, GateRow.code != OPERATOR, GateRow.next_probe_at < until)
        .values(next_probe_at=until)
    )


def _gate(row: Any) -> Gate:  # noqa: ANN401 - the columns of `_GATE`
    name, scope, *rest = row
    return Gate(name, GateScope(scope), *rest)


def _record_event(connection: Connection, event: str, gate: Gate, now: datetime) -> None:
    """`since` is when the gate closed, in both events."""
    data = {
        "gate": gate.name,
        "scope": str(gate.scope),
        "model": gate.model,
        "code": gate.code,
        "message": gate.message,
        "since": gate.since.isoformat(),
    }
    events.record(connection, event, gate.name, data, now=now)
