"""A call in progress, and the ledger and account that it is counted in. Decides nothing."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

from worker.emulator.account import Account
from worker.emulator.api.calls import Call
from worker.emulator.api.responses import Answer
from worker.emulator.faults import Effect
from worker.emulator.ledger import BillLine, Ledger

PLAIN: Final = Effect()


class Books(NamedTuple):
    """The ledger and account at the call's arrival, so that a reset in between does not mix up two ledgers."""

    ledger: Ledger
    account: Account


@dataclass(frozen=True, slots=True)
class Ticket:
    request_id: str
    call: Call
    books: Books
    wait_seconds: float
    """Time until the response; with v2, until the run has finished."""
    effect: Effect = PLAIN
    refusal: Answer | None = None
    """Set if the call was refused: no price is held and nothing will be billed."""
    price: Decimal = Decimal(0)
    text: str = ""
    """Hash of the accepted call's text."""

    def drop(self) -> None:
        """End an accepted call without billing it."""
        self.books.ledger.ended(self.text)
        self.books.account.release(self.price)

    def pay(self, at: float) -> None:
        """Bill an accepted call at `at` (epoch seconds)."""
        self.books.ledger.ended(self.text)
        self.books.account.charge(self.price)
        voices = "+".join(filter(None, self.call.voices))
        line = BillLine(
            request_id=self.request_id,
            model=self.call.slug,
            text=self.text,
            voices=voices,
            cost=self.price,
            at=at,
        )
        self.books.ledger.billed(line)
