"""What is left in the account: asked of the API for nothing, or as the workers saw it last."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from worker.opening import StartError, open_client
from worker.segmind import verdicts
from worker.segmind.answers import Credits
from worker.settings import Settings
from worker.store import balances
from worker.store.balances import Balance
from worker.store.database import Database

NO_KEY: Final = "SEGMIND_API_KEY is not set here"


@dataclass(frozen=True, slots=True)
class Purse:
    """The account's balance, as far as it is known."""

    credits: Credits | None
    """As the API says now; None where it doesn't."""
    trouble: str
    """Why it doesn't."""
    seen: Balance | None
    """As the workers saw it last."""

    @property
    def dollars(self) -> Decimal | None:
        """The best that is known."""
        if self.credits is not None:
            return self.credits.total
        return None if self.seen is None else self.seen.remaining

    @property
    def seen_at(self) -> datetime | None:
        """When that was so; None for now."""
        return None if self.credits is not None or self.seen is None else self.seen.seen_at


def look(settings: Settings, database: Database | None) -> Purse:
    """Ask. Never raises for what the network or the API does."""
    seen = None
    if database is not None:
        with database.read() as connection:
            seen = balances.last(connection)
    if settings.segmind_api_key is None:
        return Purse(None, NO_KEY, seen)
    try:
        client = open_client(settings)
    except StartError as error:
        return Purse(None, f"{error.message}; {error.remedy}", seen)
    try:
        answer = client.credits()
    finally:
        client.close()
    if isinstance(answer, Credits):
        return Purse(answer, "", seen)
    return Purse(None, verdicts.verdict(answer).message or f"the API answered {answer.status}", seen)
