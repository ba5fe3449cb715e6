"""What becomes of a call: refused, faulted by script, or taken, made, billed. Opens no socket and never waits.

A call passes twice: `receive` when it comes in, `settle` when its time is up. Whoever calls them waits in between.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final, NamedTuple

from api_models.registry import MODELS
from worker.emulator import door, refusals
from worker.emulator.account import Account
from worker.emulator.answers import Answer, Ending, error, phrase
from worker.emulator.calls import Call
from worker.emulator.faults import Effect, Take
from worker.emulator.ledger import BillLine, Ledger, text_hash
from worker.emulator.vendor import Vendor

PLAIN: Final = Effect()
"""Nothing out of the ordinary."""


class Books(NamedTuple):
    """Where a call is counted and charged: those of its arrival, so that a reset meanwhile isn't muddled by it."""

    ledger: Ledger
    account: Account


@dataclass(frozen=True, slots=True)
class Ticket:
    """A received call on its way to an answer."""

    request_id: str
    call: Call
    books: Books
    wait_seconds: float
    """To be waited before `settle`."""
    effect: Effect = PLAIN
    refusal: Answer | None = None
    """Set where the call was refused: no price is held and nothing will be billed."""
    price: Decimal = Decimal(0)
    text: str = ""
    """The hash of the text of an accepted call."""


def receive(vendor: Vendor, call: Call) -> Ticket:
    """Checks a call, looks for a scripted fault, and holds the price of one that is taken."""
    books = Books(vendor.ledger, vendor.account)
    text = text_hash(call.text) if call.text else ""
    request_id = vendor.request_id(books.ledger.arrived(text))
    if (refusal := door.refusal(vendor, call)) is not None:
        return Ticket(request_id, call, books, 0.0, refusal=refusal)
    effect = vendor.script.effect(call.slug, call.text) or PLAIN
    if effect.status is not None:
        return Ticket(request_id, call, books, effect.delay_seconds, effect, _scripted(effect, effect.status))
    price = MODELS[call.slug].price
    books.account.hold(price)
    books.ledger.began(text)
    wait = vendor.draw_latency() + effect.delay_seconds
    return Ticket(request_id, call, books, wait, effect, price=price, text=text)


def settle(vendor: Vendor, ticket: Ticket, base_url: str) -> Answer:
    """The answer, once the wait is over. Only a 200 is billed, and billed even where its reply is to be lost."""
    answer = ticket.refusal or _finish(vendor, ticket, base_url)
    ticket.books.ledger.answered(_outcome(answer))
    return answer


def balance(vendor: Vendor, key: str | None, *, bearer: bool) -> Answer:
    """The credits endpoint: free, and never limited."""
    vendor.ledger.credit_checks += 1
    account = vendor.account
    if not account.accepts(key):
        return refusals.unauthorized(bearer=bearer and not key)
    body = f'{{"credits": {account.credits:f}, "free-credits": {account.free_credits:f}}}'
    return Answer(200, "application/json", body.encode())


def file(vendor: Vendor, name: str, *, with_key: bool) -> Answer:
    """A result file. It is public; a key sent along is counted as the leak it is."""
    vendor.ledger.files_with_key += with_key
    found = vendor.shelf.fetch(name)
    return Answer(200, "audio/wav", found) if found is not None else refusals.unknown_path()


def _finish(vendor: Vendor, ticket: Ticket, base_url: str) -> Answer:
    ticket.books.ledger.ended(ticket.text)
    if ticket.effect.ending is Ending.RESET:
        ticket.books.account.release(ticket.price)
        return Answer(200, "", b"", ending=Ending.RESET)
    _bill(ticket, vendor.clock())
    return _success(vendor, ticket, base_url)


def _bill(ticket: Ticket, now: float) -> None:
    ticket.books.account.charge(ticket.price)
    line = BillLine(
        request_id=ticket.request_id,
        model=ticket.call.slug,
        text=ticket.text,
        cost=ticket.price,
        at=now,
    )
    ticket.books.ledger.billed(line)


def _success(vendor: Vendor, ticket: Ticket, base_url: str) -> Answer:
    effect = ticket.effect
    content_type, body = vendor.shelf.body(ticket.request_id, ticket.call, effect, base_url)
    return Answer(
        200,
        effect.content_type or content_type,
        body,
        _headers(ticket),
        effect.ending,
        kept_share=effect.share,
        body_seconds=effect.body_seconds if effect.ending is Ending.SLOW else 0.0,
        stretched_to_bytes=effect.size_bytes if effect.take is Take.HUGE else 0,
    )


def _headers(ticket: Ticket) -> tuple[tuple[str, str], ...]:
    usual = {
        "x-cost": f"{ticket.price:f}",
        "x-remaining-credits": f"{ticket.books.account.balance:f}",
        "x-request-id": ticket.request_id,
        "x-generation-time": f"{ticket.wait_seconds:.3f}",
    }
    omitted = {name.lower() for name in ticket.effect.without_headers}
    kept = {name: value for name, value in usual.items() if name not in omitted}
    return tuple((kept | ticket.effect.headers).items())


def _scripted(effect: Effect, status: int) -> Answer:
    answer = error(status, effect.message or phrase(status), effect.shape)
    return replace(
        answer,
        content_type=effect.content_type or answer.content_type,
        headers=tuple(effect.headers.items()),
        ending=effect.ending,
        kept_share=effect.share,
        body_seconds=effect.body_seconds if effect.ending is Ending.SLOW else 0.0,
    )


def _outcome(answer: Answer) -> str:
    """How the ledger counts an answer."""
    whole = answer.ending in {Ending.WHOLE, Ending.SLOW}
    return str(answer.status) if whole else answer.ending.value
