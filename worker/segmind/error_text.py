"""Extracts the error message from a body of any shape."""

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
"""Where the API, its framework, its gateway and the models put messages."""

_MAX_DEPTH: Final = 5
_UNSEEN: Final = re.compile(r"<(script|style)\b.*?(</\1\s*>|$)|<!--.*?(-->|$)", re.IGNORECASE | re.DOTALL)
_TAG: Final = re.compile(r"<[^>]*>")
_MARKUP: Final = re.compile(r"\s*<(!doctype|html|head|body|\?xml)\b", re.IGNORECASE)


def parse(text: str) -> object:
    """The JSON value of `text` with exact decimals, or `text` itself if it isn't JSON."""
    try:
        return json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        return text


def error_message(body: bytes, *secrets: str) -> str:
    """The message of an error body: one line, redacted, at most 2,000 characters; "" if none."""
    return spoken(body.decode("utf-8", "replace").lstrip("\ufeff"), *secrets)


def spoken(text: str, *secrets: str) -> str:
    """`error_message` for decoded text."""
    if _MARKUP.match(text):
        plain = html.unescape(_TAG.sub(" ", _UNSEEN.sub(" ", text)))
    else:
        document = parse(text)
        plain = document if isinstance(document, str) else _said(document) or _bare(document, text)
    return tidy(plain, *secrets)


def tidy(text: str, *secrets: str) -> str:
    """Text as a message: one line, redacted, at most 2,000 characters."""
    shortened = redact(" ".join(text.split()), *secrets)[:MAX_MESSAGE_CHARACTERS]
    # JSON escapes can produce lone surrogates, which databases and terminals reject.
    return shortened.replace("\x00", " ").encode("utf-8", "replace").decode()


def reports_failure(document: object) -> bool:
    """Whether a JSON value reports a failed run, under any HTTP status."""
    if not isinstance(document, dict):
        return False
    status = document.get("status")
    if isinstance(status, str) and status.lower() in {"failed", "error"}:
        return True
    return any(document.get(field) for field in ("error", "errors", "detail"))


def _said(node: object, depth: int = 0) -> str:
    """The text of the known fields, without duplicates."""
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
    """JSON without known fields is the message itself, unless it is empty."""
    return text if document else ""
