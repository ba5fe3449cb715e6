"""The emulated account: its key, its money, its team's spend limit. Amounts are exact; nothing here rounds."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Money = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]
"""US dollars."""


class AccountChange(BaseModel):
    """What an operator of the emulator changes in the account; None leaves a field as it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    credits: Money | None = None
    """Paid-for dollars."""
    free_credits: Money | None = None
    """Given dollars; they are spent first."""
    key_valid: bool | None = None
    """False refuses even the right key, as after a revocation."""
    spend_limit_reached: bool | None = None
    """True refuses every call with the team's spend limit."""


@dataclass(slots=True)
class Account:
    """Calls in flight hold their price, so that a balance never goes below zero; only answered ones are charged."""

    key: str | None
    """The one right key; None takes any that isn't empty."""
    credits: Decimal
    free_credits: Decimal
    held: Decimal = Decimal(0)
    """The prices of calls in flight."""
    key_valid: bool = True
    spend_limit_reached: bool = False

    @property
    def balance(self) -> Decimal:
        """What was not charged yet."""
        return self.credits + self.free_credits

    @property
    def available(self) -> Decimal:
        """What is left beside the calls in flight."""
        return self.balance - self.held

    def accepts(self, key: str | None) -> bool:
        """Whether `key` opens this account."""
        return self.key_valid and bool(key) and (self.key is None or key == self.key)

    def covers(self, price: Decimal) -> bool:
        """Whether the balance pays for one more call beside those in flight."""
        return self.available >= price

    def hold(self, price: Decimal) -> None:
        """A call begins."""
        self.held += price

    def release(self, price: Decimal) -> None:
        """A call ends unpaid."""
        self.held -= price

    def charge(self, price: Decimal) -> None:
        """A call ends with a 200: free credits pay first."""
        self.held -= price
        given = min(self.free_credits, price)
        self.free_credits -= given
        self.credits -= price - given

    def change(self, change: AccountChange) -> None:
        """Takes over what `change` sets."""
        for name in change.model_fields_set:
            if (value := getattr(change, name)) is not None:
                setattr(self, name, value)
