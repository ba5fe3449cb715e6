"""Classifies call failures by how much was sent, and streams the answer's body. Never retries or redirects."""

from __future__ import annotations

from collections.abc import Iterator
from http.client import IncompleteRead
from typing import Final

from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationParseError,
    NewConnectionError,
    ProtocolError,
    SSLError,
)
from urllib3.util import Url, parse_url

from worker.http_client.requests import Outgoing
from worker.http_client.responses import Response
from worker.http_client.source import LateError
from worker.segmind.answers import Failure
from worker.segmind.errors import BrokenBodyError, UnusableAddressError

USER_AGENT: Final = "ttsq"
PIECE_BYTES: Final = 256 * 1024
"""Maximum per read."""


def address(text: str) -> Url:
    """Parse a URL. Raises UnusableAddressError."""
    try:
        return parse_url(text)
    except LocationParseError as error:
        raise UnusableAddressError(text) from error


def call_failure(error: HTTPError, body: Outgoing | None = None) -> Failure:
    """Why a request got no HTTP answer. A GET has no `body`: it counts as sent once connected."""
    begun, sent = (body.begun, body.sent) if body is not None else (True, True)
    late = isinstance(error, (LateError, ConnectTimeoutError)) and not isinstance(error, NewConnectionError)
    if not begun or isinstance(error, ConnectTimeoutError):
        return Failure.TIMEOUT_CONNECT if late else Failure.CONNECT
    if not sent:
        return Failure.SEND
    return Failure.TIMEOUT_READ if late else _broken(error)


def pieces(response: Response, *, limit_bytes: int) -> Iterator[bytes]:
    """Stream the body within the deadline of its exchange.

    Only a body read to its end frees its connection for the next call. Raises BrokenBodyError: the body is cut off,
    late, too large or garbled.
    """
    received = 0
    try:
        while piece := response.read1(PIECE_BYTES):
            received += len(piece)
            if received > limit_bytes:
                raise BrokenBodyError(Failure.TOO_LARGE)
            yield piece
    except HTTPError as error:
        raise BrokenBodyError(Failure.TIMEOUT_READ if isinstance(error, LateError) else _broken(error)) from error


def _broken(error: HTTPError) -> Failure:
    """Why an answer is missing or incomplete after the request was sent."""
    if isinstance(error, SSLError):
        return Failure.RESET
    match error.args:
        case (_, IncompleteRead()) if isinstance(error, ProtocolError):
            return Failure.CUT_OFF
        case (_, OSError()) if isinstance(error, ProtocolError):
            return Failure.RESET
        case _:
            return Failure.GARBLED
