"""The templates' environment, and the headers of every page. Whatever is printed is escaped."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Final, Protocol

import jinja2

from worker.gateway.console import assets, formats

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; connect-src 'self';"
    " media-src 'self' blob:; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""The nonce admits one style element: the waveform player's, in its shadow root."""
HEADERS: Final = {
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "same-origin",  # with none at all, browsers would hide the origin of forms too
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class Reading(Protocol):
    """What the navigation asks of a visitor."""

    def may(self, scope: str) -> bool: ...

    def can(self, scope: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Section:
    """An entry of the navigation."""

    title: str
    path: str
    scope: str = "read"
    changes: bool = False
    """It is of no use to a session that may only read."""

    def is_for(self, visitor: Reading) -> bool:
        return visitor.can(self.scope) if self.changes else visitor.may(self.scope)


SECTIONS: Final = (
    Section("Now", "/console"),
    Section("Jobs", "/console/jobs"),
    Section("Batches", "/console/batches"),
    Section("Documents", "/console/documents"),
    Section("Operations", "/console/operations"),
    Section("Money", "/console/money"),
    Section("Webhooks", "/console/webhooks", "operate"),
    Section("Schedules", "/console/schedules"),
    Section("Keys and log", "/console/keys", "admin"),
    Section("Try", "/console/try", "submit", changes=True),
)


@lru_cache(maxsize=4)
def environment(secret: str = "", *, hides_texts: bool = False) -> jinja2.Environment:
    """`secret` is masked wherever it would be printed; `hides_texts` shows of texts their lengths alone."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("worker.gateway.console", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=partial(formats.shown, redacted=secret),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    names = ("money", "number", "duration", "clock", "moment", "short", "cut", "exactly", "plural", "ticks")
    made.filters |= {name: getattr(formats, name) for name in names}
    made.filters["spoken"] = formats.hidden if hides_texts else formats.shown_whole
    made.globals |= {"asset": assets.address, "sections": SECTIONS}
    return made
