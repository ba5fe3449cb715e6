"""A call on its way to an answer, and the books in which it is counted and paid. Decides nothing."""

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
"""Nothing out of the ordinary."""


class Books(NamedTuple):
    """Where a call is counted and charged: those of its arrival, so that a reset meanwhile isn't muddled by it."""

    ledger: Ledger
    account: Account


@dataclass(frozen=True, slots=True)
class Ticket:
    """A received call."""

    request_id: str
    call: Call
    books: Books
    wait_seconds: float
    """What it takes until its answer; with v2, until its run is over."""
    effect: Effect = PLAIN
    refusal: Answer | None = None
    """Set where the call was refused: no price is held and nothing will be billed."""
    price: Decimal = Decimal(0)
    text: str = ""
    """The hash of the text of an accepted call."""

    def drop(self) -> None:
        """An accepted call ends unpaid."""
        self.books.ledger.ended(self.text)
        self.books.account.release(self.price)

    def pay(self, at: float) -> None:
        """An accepted call ends well, at `at` (epoch seconds)."""
        self.books.ledger.ended(self.text)
        self.books.account.charge(self.price)
        line = BillLine(request_id=self.request_id, model=self.call.slug, text=self.text, cost=self.price, at=at)
        self.books.ledger.billed(line)
