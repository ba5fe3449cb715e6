"""Follows the account balance and warns once when it is low."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from sqlalchemy import Connection

from worker.store.money import balances
from worker.store.money.balances import Balance
from worker.store.outbox import events
from worker.store.queries.attempts import Ended

RECOVERED: Final = Decimal("1.1")
"""Factor over the threshold at which a low balance counts as recovered: answers out of order must not warn twice."""
NOTE_SECONDS: Final = 1.0
"""Minimum time between two stored balances, unless one is low."""


@dataclass(slots=True)
class BalanceWatch:
    low_below: Decimal
    """US dollars."""
    _noted_at: datetime | None = None

    def learn(
        self, connection: Connection, finished: Sequence[Ended], checked: Sequence[Decimal], now: datetime
    ) -> None:
        """Record the latest balance from attempts and from free checks."""
        seen = [
            (ended.finished_at, ended.remaining_credits) for ended in finished if ended.remaining_credits is not None
        ]
        seen += [(now, amount) for amount in checked]
        if not seen:
            return
        seen_at, remaining = seen[-1]
        is_news = self._noted_at is None or now - self._noted_at >= timedelta(seconds=NOTE_SECONDS)
        if not (is_news or remaining < self.low_below):
            return
        self._noted_at = now
        balances.note(connection, remaining, seen_at)
        latest = balances.last(connection)
        if latest is not None:
            self._judge(connection, latest, now)

    def _judge(self, connection: Connection, latest: Balance, now: datetime) -> None:
        if falls(latest, self.low_below) and balances.mark(connection, low=True):
            data = {
                "remaining": f"{latest.remaining:f}",
                "below": f"{self.low_below:f}",
                "seen_at": latest.seen_at.isoformat(),
            }
            events.record(connection, events.LOW_BALANCE, "account", data, now=now)
        elif recovers(latest, self.low_below):
            balances.mark(connection, low=False)


def falls(balance: Balance, low_below: Decimal) -> bool:
    return not balance.low and balance.remaining < low_below


def recovers(balance: Balance, low_below: Decimal) -> bool:
    return balance.low and balance.remaining >= low_below * RECOVERED
