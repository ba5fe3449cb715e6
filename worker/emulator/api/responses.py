"""Responses as values: status, headers, body, and how the connection ends. `delivery` sends them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from html import escape
from http import HTTPStatus


class Ending(StrEnum):
    """How the response ends."""

    WHOLE = "whole"
    RESET = "reset"
    """The connection is reset before the response; the call is not billed."""
    LOST = "lost"
    """The connection is reset before the response; the call is billed."""
    CUT = "cut"
    """The connection closes within the body, short of its declared length; the call is billed."""
    SLOW = "slow"
    """The body arrives in pieces over several seconds."""


class BodyShape(StrEnum):
    """The API's forms of an error body."""

    ERROR = "error"
    """`{"error": message}`, the usual form."""
    DETAIL = "detail"
    """`{"detail": message}`"""
    MESSAGE = "message"
    """`{"message": message}`"""
    AUTH = "auth"
    """`{"error", "error_description", "status_code"}`, as from the key check."""
    HTML = "html"
    """A proxy's HTML page."""
    PLAIN = "plain"
    EMPTY = "empty"
    """No body."""


class OutputShape(StrEnum):
    """The forms of a completed v2 run's output."""

    AUDIO = "audio"
    """`output` is the file's URL, and an `audio` object beside it describes the file: the documented form."""
    URL = "url"
    """`output` is the file's URL."""
    LIST = "list"
    """`output` is a list with one URL."""
    OBJECT = "object"
    """`output` is an object that contains the URL."""
    DATA_URI = "data_uri"
    """`output` is a data URI."""
    BASE64 = "base64"
    """`output` is plain base64."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    """Besides Content-Type and Content-Length."""
    ending: Ending = Ending.WHOLE
    kept_share: float = 1.0
    """For `cut`: the share of the body to send."""
    body_seconds: float = 0.0
    """For `slow`: seconds over which to send the body."""
    wait_seconds: float = 0.0
    """To wait before sending, unless the sender has waited already."""
    stretched_to_bytes: int = 0
    """If larger than the body: zeros follow it up to this length."""


def error(
    status: int, message: str, shape: BodyShape = BodyShape.ERROR, headers: Mapping[str, str] | None = None
) -> Answer:
    content_type, body = _render(status, message, shape)
    return Answer(status, content_type, body, tuple((headers or {}).items()))


def _render(status: int, message: str, shape: BodyShape) -> tuple[str, bytes]:
    match shape:
        case BodyShape.ERROR | BodyShape.DETAIL | BodyShape.MESSAGE:
            return "application/json", json.dumps({shape.value: message}).encode()
        case BodyShape.AUTH:
            content = {"error": phrase(status), "error_description": message, "status_code": status}
            return "application/json", json.dumps(content).encode()
        case BodyShape.HTML:
            page = (
                f"<html><head><title>{status} {phrase(status)}</title></head>"
                f"<body><h1>{phrase(status)}</h1><p>{escape(message)}</p></body></html>"
            )
            return "text/html; charset=utf-8", page.encode()
        case BodyShape.PLAIN:
            return "text/plain; charset=utf-8", message.encode()
        case BodyShape.EMPTY:
            return "text/plain; charset=utf-8", b""


def phrase(status: int) -> str:
    """Return the reason phrase, or a placeholder for an unknown status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown Error"
