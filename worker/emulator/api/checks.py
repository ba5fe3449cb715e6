"""The checks of every call, in the vendor's order: key, rate, model, balance, content type, body."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from api_models.registry import MODELS
from worker.emulator.api import refusals
from worker.emulator.api.calls import Call, fault
from worker.emulator.api.refusals import ModelState
from worker.emulator.api.responses import Answer
from worker.emulator.vendor import Vendor


def refusal(vendor: Vendor, call: Call) -> Answer | None:
    for check in CHECKS:
        if (answer := check(vendor, call)) is not None:
            return answer
    return None


def _key(vendor: Vendor, call: Call) -> Answer | None:
    if vendor.account.accepts(call.key):
        return None
    return refusals.unauthorized(bearer=call.bearer and not call.key)


def _rate(vendor: Vendor, _: Call) -> Answer | None:
    now = vendor.clock()
    reset_at = vendor.limiter.admit(now)
    if reset_at is None:
        vendor.ledger.admitted_at.append(now)
        return None
    vendor.ledger.refused_at.append(now)
    return refusals.too_many(vendor.limit, reset_at, now)


def _model(vendor: Vendor, call: Call) -> Answer | None:
    state = vendor.models.get(call.slug, ModelState.NOT_FOUND)
    if call.slug in MODELS and call.version not in MODELS[call.slug].api_versions:
        state = ModelState.NOT_FOUND
    return refusals.model_unavailable(call.slug, state)


def _money(vendor: Vendor, call: Call) -> Answer | None:
    account, price = vendor.account, MODELS.price_of(call.slug, len(call.text))
    if account.spend_limit_reached:
        return refusals.spend_limit()
    return None if account.covers(price) else refusals.insufficient_credits(account.available, price)


def _content_type(_: Vendor, call: Call) -> Answer | None:
    return None if call.announces_json else refusals.content_type()


def _body(_: Vendor, call: Call) -> Answer | None:
    found = fault(call, MODELS[call.slug])
    return None if found is None else refusals.bad_request(found)


CHECKS: Final[tuple[Callable[[Vendor, Call], Answer | None], ...]] = (
    _key,
    _rate,
    _model,
    _money,
    _content_type,
    _body,
)
