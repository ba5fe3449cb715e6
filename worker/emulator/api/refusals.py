"""The emulated API's error responses, one function each. No decisions here."""

from __future__ import annotations

import math
from decimal import Decimal
from enum import StrEnum

from worker.emulator.api.reset_times import stamp
from worker.emulator.api.responses import Answer, BodyShape, error
from worker.emulator.limits import Limit


class ModelState(StrEnum):
    """How the API responds to requests for a model."""

    OK = "ok"
    NOT_FOUND = "not_found"
    """404: unknown, or hidden from this account."""
    FORBIDDEN = "forbidden"
    """403: not permitted for this account."""
    RETIRED = "retired"
    """410: retired permanently."""


def unauthorized(*, bearer: bool) -> Answer:
    """The key is missing, wrong, or in the `Authorization` header, which this API does not read."""
    message = "API key must be sent in the x-api-key header" if bearer else "Missing or invalid API key"
    return error(401, message, BodyShape.AUTH)


def too_many(limit: Limit, reset_at: float, now: float) -> Answer:
    """Rate limited until `reset_at` (epoch seconds)."""
    headers: dict[str, str] = {}
    if (at := stamp(limit.stamp, reset_at)) is not None:
        headers["x-rate-limit-reset-at-utc"] = at
    if limit.retry_after:
        headers["retry-after"] = str(math.ceil(reset_at - now))
    return error(429, "Too many requests, rate limit exceeded", headers=headers)


def model_unavailable(slug: str, state: ModelState) -> Answer | None:
    match state:
        case ModelState.OK:
            return None
        case ModelState.NOT_FOUND:
            return error(404, f"Model not found: {slug}")
        case ModelState.FORBIDDEN:
            return error(403, f"Insufficient permissions to use the model {slug}")
        case ModelState.RETIRED:
            return error(410, f"The model {slug} has been retired")


def spend_limit() -> Answer:
    return error(406, "Spend limit reached for this team")


def insufficient_credits(balance: Decimal, price: Decimal) -> Answer:
    return error(406, f"Insufficient credits: the balance is ${balance:f} and this model needs ${price:f} per request")


def content_type() -> Answer:
    return error(406, "Invalid content type")


def bad_request(message: str) -> Answer:
    return error(400, message)


def unknown_path() -> Answer:
    return error(404, "Endpoint not found")


def unknown_request(request_id: str) -> Answer:
    return error(404, f"Request not found or expired: {request_id}")


def wrong_verb() -> Answer:
    return error(405, "The method is not allowed for the requested URL.", BodyShape.HTML)
