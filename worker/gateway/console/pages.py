"""Renders pages for a visitor, and sends the browser on after an action."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from worker.gateway.answers import gateway_of
from worker.gateway.console.access import Visitor
from worker.gateway.console.environment import HEADERS, POLICY, environment


def render(
    request: Request, name: str, visitor: Visitor | None, values: Mapping[str, Any], *, status: int = 200
) -> Response:
    key = gateway_of(request).settings.segmind_api_key
    nonce = secrets.token_urlsafe(16)
    shared = {
        "visitor": visitor,
        "path": request.url.path,
        "nonce": nonce,
        "now": datetime.now(UTC),
        "notice": _notice(request),
    }
    hides = visitor is not None and visitor.hides_texts
    found = environment(key.get_secret_value() if key else "", hides_texts=hides)
    content = found.get_template(name).render(shared | dict(values))
    return HTMLResponse(content, status, HEADERS | {"content-security-policy": POLICY.format(nonce=nonce)})


NOTICES: Final = {
    "retried": "The job is queued again.",
    "cancelled": "Cancelled.",
    "chosen": "The take is the job's audio now.",
    "marked": "The mark is kept.",
    "deleted": "Text and audio are removed; the row and its cost stay.",
    "paused": "Paused. Calls in flight continue.",
    "resumed": "Resumed.",
    "opened": "The gate is open.",
    "closed": "The gate is closed.",
    "redelivered": "The message will be sent again.",
    "revoked": "The key is revoked; it stops working within 5 seconds.",
    "enabled": "The endpoint is enabled.",
    "confirmed": "Confirmed. The leading worker carries it out.",
    "aborted": "Aborted. It can be resumed where it stopped.",
    "discarded": "Discarded. Nothing was changed.",
    "saved": "The view is saved.",
    "removed": "The view is removed.",
    "unchanged": "Nothing was changed: the state had changed meanwhile.",
}
"""By the word in the address after an action: an address cannot bring text of its own."""


def _notice(request: Request) -> str | None:
    return NOTICES.get(request.query_params.get("done", ""))


def see_other(path: str) -> Response:
    """Send the browser to a page of the console after a form was posted."""
    return RedirectResponse(path, 303, headers=HEADERS)
