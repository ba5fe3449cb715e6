"""The remaining balance of the account, as last reported by the API."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, select, update

from worker.store import upserts
from worker.store.account import ACCOUNT
from worker.store.tables.account import BalanceRow


@dataclass(frozen=True, slots=True)
class Balance:
    remaining: Decimal
    seen_at: datetime
    low: bool
    """A low balance was reported; reported again only after it has recovered."""


_LAST = select(BalanceRow.remaining, BalanceRow.seen_at, BalanceRow.low).where(BalanceRow.account == ACCOUNT)


def note(connection: Connection, remaining: Decimal, seen_at: datetime) -> None:
    connection.execute(
        upserts.insert(connection.dialect.name, BalanceRow)
        .values(account=ACCOUNT, remaining=remaining, seen_at=seen_at, low=False)
        .on_conflict_do_update(
            index_elements=["account"],
            set_={"remaining": remaining, "seen_at": seen_at},
            where=BalanceRow.seen_at <= seen_at,
        )
    )


def last(connection: Connection) -> Balance | None:
    row = connection.execute(_LAST).one_or_none()
    return None if row is None else Balance(*row)


def mark(connection: Connection, *, low: bool) -> bool:
    """Mark the balance as low or recovered. Returns True only if this call changed it, so that it is reported once."""
    return (
        connection.execute(
            update(BalanceRow).where(BalanceRow.account == ACCOUNT, BalanceRow.low != low).values(low=low)
        ).rowcount
        > 0
    )
