"""The emulated account: key, balance and spend limit. Amounts are exact; nothing here rounds."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Money = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]
"""US dollars."""


class AccountChange(BaseModel):
    """An operator's change of the account; None leaves a field unchanged."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    credits: Money | None = None
    free_credits: Money | None = None
    """Spent before paid credits."""
    key_valid: bool | None = None
    """False rejects even the right key, as after a revocation."""
    spend_limit_reached: bool | None = None
    """True rejects every call with the team's spend limit."""


@dataclass(slots=True)
class Account:
    """Calls in flight hold their price, so the balance never drops below zero; only successful calls are charged."""

    key: str | None
    """None accepts any non-empty key."""
    credits: Decimal
    free_credits: Decimal
    held: Decimal = Decimal(0)
    key_valid: bool = True
    spend_limit_reached: bool = False

    @property
    def balance(self) -> Decimal:
        """Everything not yet charged, including held amounts."""
        return self.credits + self.free_credits

    @property
    def available(self) -> Decimal:
        return self.balance - self.held

    def accepts(self, key: str | None) -> bool:
        return self.key_valid and bool(key) and (self.key is None or key == self.key)

    def covers(self, price: Decimal) -> bool:
        return self.available >= price

    def hold(self, price: Decimal) -> None:
        self.held += price

    def release(self, price: Decimal) -> None:
        self.held -= price

    def charge(self, price: Decimal) -> None:
        """Charge a successful call; free credits are spent first."""
        self.held -= price
        given = min(self.free_credits, price)
        self.free_credits -= given
        self.credits -= price - given

    def change(self, change: AccountChange) -> None:
        for name in change.model_fields_set:
            if (value := getattr(change, name)) is not None:
                setattr(self, name, value)
