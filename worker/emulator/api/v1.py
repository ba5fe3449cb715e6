"""v1 calls: refuse, apply scripted faults, or accept, synthesize and bill. Opens no socket and never waits.

A call passes twice: `receive` on arrival and `settle` when its latency has elapsed. The caller waits in between.
"""

from __future__ import annotations

from dataclasses import replace

from api_models.registry import MODELS
from worker.emulator.api import checks, refusals
from worker.emulator.api.calls import Call
from worker.emulator.api.responses import Answer, Ending, error, phrase
from worker.emulator.api.tickets import PLAIN, Books, Ticket
from worker.emulator.faults import Effect, Step, Take
from worker.emulator.ledger import text_hash
from worker.emulator.vendor import Vendor


def receive(vendor: Vendor, call: Call) -> Ticket:
    """Check a call, apply the script, and hold the price if the call is accepted."""
    vendor.settle_runs()
    books = Books(vendor.ledger, vendor.account)
    text = text_hash(call.text) if call.text else ""
    request_id = vendor.request_id(books.ledger.arrived(text))
    if (refusal := checks.refusal(vendor, call)) is not None:
        return Ticket(request_id, call, books, 0.0, refusal=refusal)
    effect = vendor.script.effect(call.slug, call.text) or PLAIN
    if effect.status is not None:
        return Ticket(request_id, call, books, effect.delay_seconds, effect, scripted(effect, effect.status))
    price = MODELS.price_of(call.slug, len(call.text))
    books.account.hold(price)
    books.ledger.began(text)
    wait = vendor.draw_latency(call.text) + effect.delay_seconds
    return Ticket(request_id, call, books, wait, effect, price=price, text=text)


def settle(vendor: Vendor, ticket: Ticket, base_url: str) -> Answer:
    """Return the response after the wait. Only a 200 is billed, even if its response is then lost."""
    answer = ticket.refusal or _finish(vendor, ticket, base_url)
    ticket.books.ledger.answered(outcome(answer))
    return answer


def balance(vendor: Vendor, key: str | None, *, bearer: bool) -> Answer:
    vendor.settle_runs()
    vendor.ledger.credit_checks += 1
    account = vendor.account
    if not account.accepts(key):
        return refusals.unauthorized(bearer=bearer and not key)
    body = f'{{"credits": {account.credits:f}, "free-credits": {account.free_credits:f}}}'
    return Answer(200, "application/json", body.encode())


def file(vendor: Vendor, name: str, *, with_key: bool) -> Answer:
    """Return a result file. Files are public; a key sent along is counted as a leak."""
    vendor.ledger.files += 1
    vendor.ledger.files_with_key += with_key
    found = vendor.shelf.fetch(name)
    if found is None:
        return refusals.unknown_path()
    effect = vendor.script.effect(found.call.slug, found.call.text, Step.FILE) or PLAIN
    if effect.status is not None:
        return scripted(effect, effect.status)
    return mistreated(Answer(200, found.content_type, found.body, stretched_to_bytes=found.stretched_to_bytes), effect)


def scripted(effect: Effect, status: int) -> Answer:
    answer = mistreated(error(status, effect.message or phrase(status), effect.shape), effect)
    return replace(answer, content_type=effect.content_type or answer.content_type)


def mistreated(answer: Answer, effect: Effect) -> Answer:
    """Apply the script's headers, delay and ending to a response."""
    return replace(
        answer,
        headers=(*answer.headers, *effect.headers.items()),
        ending=effect.ending,
        kept_share=effect.share,
        body_seconds=effect.body_seconds if effect.ending is Ending.SLOW else 0.0,
        wait_seconds=effect.delay_seconds,
    )


def outcome(answer: Answer) -> str:
    """Return the ledger's name for a response."""
    whole = answer.ending in {Ending.WHOLE, Ending.SLOW}
    return str(answer.status) if whole else answer.ending.value


def _finish(vendor: Vendor, ticket: Ticket, base_url: str) -> Answer:
    if ticket.effect.ending is Ending.RESET:
        ticket.drop()
        return Answer(200, "", b"", ending=Ending.RESET)
    if ticket.effect.run_fails:
        ticket.drop()
        return scripted(ticket.effect, 500)
    ticket.pay(vendor.clock())
    return _success(vendor, ticket, base_url)


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
