"""What goes back to a caller: status, headers, body, how the connection ends. Values only; `delivery` sends them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from html import escape
from http import HTTPStatus


class Ending(StrEnum):
    """What becomes of the reply on its way."""

    WHOLE = "whole"
    """It arrives."""
    RESET = "reset"
    """The connection is reset before a byte of it; the call wasn't billed."""
    LOST = "lost"
    """The connection is reset before a byte of it, after the call was billed."""
    CUT = "cut"
    """The connection closes within the body, short of the declared length; the call was billed."""
    SLOW = "slow"
    """The body arrives in pieces over some seconds."""


class BodyShape(StrEnum):
    """The forms that error bodies of this API take."""

    ERROR = "error"
    """`{"error": message}`, the rule."""
    DETAIL = "detail"
    """`{"detail": message}`"""
    MESSAGE = "message"
    """`{"message": message}`"""
    AUTH = "auth"
    """`{"error", "error_description", "status_code"}`, as the key check writes it."""
    HTML = "html"
    """A page of a proxy."""
    PLAIN = "plain"
    """The bare message."""
    EMPTY = "empty"
    """Nothing."""


class OutputShape(StrEnum):
    """The forms in which a completed run of v2 hands over its audio."""

    AUDIO = "audio"
    """`output` is the file's address, and an `audio` object beside it describes the file: the documented form."""
    URL = "url"
    """`output` is the file's address."""
    LIST = "list"
    """`output` is a list of one address."""
    OBJECT = "object"
    """`output` is an object with the address in it."""
    DATA_URI = "data_uri"
    """`output` is a data URI."""
    BASE64 = "base64"
    """`output` is bare base64."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One reply."""

    status: int
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    """Beside content type and length."""
    ending: Ending = Ending.WHOLE
    kept_share: float = 1.0
    """With the ending `cut`: the share of the body that is sent."""
    body_seconds: float = 0.0
    """With the ending `slow`: the seconds over which the body is sent."""
    wait_seconds: float = 0.0
    """To be waited before it is sent, where its sender didn't wait already."""
    stretched_to_bytes: int = 0
    """Above the body's length: the body is followed by zeros up to this length."""


def error(
    status: int, message: str, shape: BodyShape = BodyShape.ERROR, headers: Mapping[str, str] | None = None
) -> Answer:
    """An error answer in one of the API's shapes."""
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
    """The standard words for a status, or a stand-in for one that has none."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown Error"
