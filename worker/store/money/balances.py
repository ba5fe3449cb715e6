"""What is left in the account, as an answer of the API last said."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql, sqlite

from worker.store.account import ACCOUNT
from worker.store.tables.account import BalanceRow


@dataclass(frozen=True, slots=True)
class Balance:
    """US dollars, and when the API named them."""

    remaining: Decimal
    seen_at: datetime
    low: bool
    """It has been said that they are few; said again only after they have recovered."""


_LAST = select(BalanceRow.remaining, BalanceRow.seen_at, BalanceRow.low).where(BalanceRow.account == ACCOUNT)


def note(connection: Connection, remaining: Decimal, seen_at: datetime) -> None:
    """Keep what an answer said, unless a later one has been heard already."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    connection.execute(
        dialect.insert(BalanceRow)
        .values(account=ACCOUNT, remaining=remaining, seen_at=seen_at, low=False)
        .on_conflict_do_update(
            index_elements=["account"],
            set_={"remaining": remaining, "seen_at": seen_at},
            where=BalanceRow.seen_at <= seen_at,
        )
    )


def last(connection: Connection) -> Balance | None:
    """The latest balance; None where no answer named one yet."""
    row = connection.execute(_LAST).one_or_none()
    return None if row is None else Balance(*row)


def mark(connection: Connection, *, low: bool) -> bool:
    """Note that the balance is low, or has recovered. True only for the one who changed it, so that it is said once."""
    return (
        connection.execute(
            update(BalanceRow).where(BalanceRow.account == ACCOUNT, BalanceRow.low != low).values(low=low)
        ).rowcount
        > 0
    )
