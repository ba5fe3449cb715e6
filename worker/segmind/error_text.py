"""Finds what the API says in the body of an error, whichever of its shapes it has. Never trusts the shape."""

from __future__ import annotations

import html
import json
import re
from decimal import Decimal
from typing import Final

from worker.telemetry.redaction import redact

MAX_MESSAGE_CHARACTERS: Final = 2_000

_FIELDS: Final = (
    *("error", "errors", "error_description", "detail", "details", "message", "msg", "title", "reason"),
    *("promptFeedback", "candidates", "finishMessage", "blockReasonMessage"),
)
"""Where the API, its framework, its gateway and the models' maker put their words."""

_MAX_DEPTH: Final = 5
_UNSEEN: Final = re.compile(r"<(script|style)\b.*?(</\1\s*>|$)|<!--.*?(-->|$)", re.IGNORECASE | re.DOTALL)
_TAG: Final = re.compile(r"<[^>]*>")
_MARKUP: Final = re.compile(r"\s*<(!doctype|html|head|body|\?xml)\b", re.IGNORECASE)


def parse(text: str) -> object:
    """The JSON value of `text`, its fractions exact, or `text` itself where it is no JSON."""
    try:
        return json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        return text


def error_message(body: bytes, *secrets: str) -> str:
    """The API's words in an error's body, on one line, redacted, at most 2,000 characters; "" where there are none."""
    return spoken(body.decode("utf-8", "replace").lstrip("\ufeff"), *secrets)


def spoken(text: str, *secrets: str) -> str:
    """The same for a body that is text already."""
    if _MARKUP.match(text):
        plain = html.unescape(_TAG.sub(" ", _UNSEEN.sub(" ", text)))
    else:
        document = parse(text)
        plain = document if isinstance(document, str) else _said(document) or _bare(document, text)
    return tidy(plain, *secrets)


def tidy(text: str, *secrets: str) -> str:
    """Any text as a message: one line, redacted, at most 2,000 characters."""
    shortened = redact(" ".join(text.split()), *secrets)[:MAX_MESSAGE_CHARACTERS]
    # A lone surrogate can come out of JSON's escapes, and no database or terminal takes it.
    return shortened.replace("\x00", " ").encode("utf-8", "replace").decode()


def reports_failure(document: object) -> bool:
    """Whether a JSON value says that the run failed, whatever the HTTP status was."""
    if not isinstance(document, dict):
        return False
    status = document.get("status")
    if isinstance(status, str) and status.lower() in {"failed", "error"}:
        return True
    return any(document.get(field) for field in ("error", "errors", "detail"))


def _said(node: object, depth: int = 0) -> str:
    """The words under the known fields, each said once."""
    match node:
        case str():
            return node.strip()
        case dict() if depth < _MAX_DEPTH:
            parts = [_said(node[field], depth + 1) for field in _FIELDS if field in node]
            if parts and (place := node.get("loc")):
                parts.insert(0, ".".join(map(str, place)) if isinstance(place, list) else str(place))
        case list() if depth < _MAX_DEPTH:
            parts = [_said(entry, depth + 1) for entry in node[:20]]
        case _:
            return ""
    return ": ".join(dict.fromkeys(filter(None, parts)))


def _bare(document: object, text: str) -> str:
    """A JSON value without known fields speaks for itself, unless it is empty."""
    return text if document else ""
