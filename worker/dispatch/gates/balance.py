"""Following what is left in the account, and saying once that it gets low, before the money is gone."""

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
"""So many times the threshold a low balance must reach to have recovered: answers that come in another order than they
were given must not let it fall twice."""
NOTE_SECONDS: Final = 1.0
"""Balances are written down no more often, unless one is low."""


@dataclass(slots=True)
class BalanceWatch:
    """Keeps the latest balance."""

    low_below: Decimal
    """US dollars."""
    _noted_at: datetime | None = None

    def learn(self, connection: Connection, news: Sequence[Ended], checked: Sequence[Decimal], now: datetime) -> None:
        """Note what the latest answer said, and what a free check saw just now."""
        heard = [(ended.finished_at, ended.remaining_credits) for ended in news if ended.remaining_credits is not None]
        heard += [(now, amount) for amount in checked]
        if not heard:
            return
        seen_at, remaining = heard[-1]
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
    """Whether it is low now, and that hasn't been said yet."""
    return not balance.low and balance.remaining < low_below


def recovers(balance: Balance, low_below: Decimal) -> bool:
    """Whether a low balance has risen well above the threshold."""
    return balance.low and balance.remaining >= low_below * RECOVERED
