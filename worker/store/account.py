"""The account's state: how fast it may start calls, and which gates hold jobs back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql, sqlite

from api_models.verdict import GateScope
from worker.store.tables import GateRow, PaceRow

ACCOUNT: Final = "default"
"""One account a deployment; the column leaves room for more."""


@dataclass(frozen=True, slots=True)
class PaceState:
    """What a new leader must know of the pace."""

    rpm: float | None = None
    next_start_at: datetime | None = None
    paused_until: datetime | None = None
    strikes: int = 0
    message: str | None = None
    search: str | None = None
    """What the search for an unknown limit has learnt, as the dispatcher writes it."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Something that holds jobs back, and since when and why."""

    name: str
    scope: GateScope
    model: str | None
    code: str
    message: str
    since: datetime
    next_probe_at: datetime
    probes: int


def gate_name(scope: GateScope, model: str | None) -> str:
    """The name people use: `account`, `storage`, or `model:gemini-3.1-flash-tts`."""
    return f"model:{model}" if scope is GateScope.MODEL else str(scope)


def load_pace(connection: Connection) -> PaceState:
    """The pace as the last leader left it."""
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
    """Keep the pace for the next tick, or the next leader."""
    values = {
        "rpm": pace.rpm,
        "next_start_at": pace.next_start_at,
        "paused_until": pace.paused_until,
        "strikes": pace.strikes,
        "message": pace.message,
        "search": pace.search,
    }
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    connection.execute(
        dialect.insert(PaceRow)
        .values(account=ACCOUNT, **values)
        .on_conflict_do_update(index_elements=["account"], set_=values)
    )


_CLOSED = (
    select(
        GateRow.name,
        GateRow.scope,
        GateRow.model,
        GateRow.code,
        GateRow.message,
        GateRow.since,
        GateRow.next_probe_at,
        GateRow.probes,
    )
    .where(GateRow.closed)
    .order_by(GateRow.since)
)


def closed_gates(connection: Connection) -> list[Gate]:
    """Every gate that is closed now."""
    return [Gate(row[0], GateScope(row[1]), *row[2:]) for row in connection.execute(_CLOSED)]


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
    """Close a gate. True only for the one who closed it, so that its closing is reported once."""
    name = gate_name(scope, model)
    fresh = {
        "closed": True,
        "code": code,
        "message": message,
        "since": now,
        "next_probe_at": next_probe_at,
        "probes": 0,
    }
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    return (
        connection.execute(
            dialect.insert(GateRow)
            .values(name=name, scope=scope, model=model if scope is GateScope.MODEL else None, **fresh)
            .on_conflict_do_update(index_elements=["name"], set_=fresh, where=~GateRow.closed)
            .execution_options(preserve_rowcount=True)  # an INSERT's count is thrown away otherwise
        ).rowcount
        > 0
    )


def still_closed(connection: Connection, name: str, *, code: str, message: str) -> None:
    """A closed gate's trouble was met again: keep its latest words, not its time."""
    connection.execute(update(GateRow).where(GateRow.name == name, GateRow.closed).values(code=code, message=message))


def open_gate(connection: Connection, name: str) -> bool:
    """Open a gate. True only for the one who opened it."""
    return (
        connection.execute(update(GateRow).where(GateRow.name == name, GateRow.closed).values(closed=False)).rowcount
        > 0
    )


def begin_probe(connection: Connection, gate: Gate, *, next_probe_at: datetime) -> bool:
    """Note that a probe of a closed gate is under way, and when the next one may be."""
    return (
        connection.execute(
            update(GateRow)
            .where(GateRow.name == gate.name, GateRow.closed, GateRow.probes == gate.probes)
            .values(probes=GateRow.probes + 1, next_probe_at=next_probe_at)
        ).rowcount
        > 0
    )
