"""urllib3 as this project uses it: pooled, never retrying, never following; failures told apart by what was sent."""

from __future__ import annotations

import time
from collections.abc import Iterator
from http.client import IncompleteRead
from typing import Final

from urllib3 import PoolManager, Retry
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationParseError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.util import Url, parse_url

from worker.segmind.answers import Failure
from worker.segmind.errors import BrokenBodyError, UnusableAddressError
from worker.wire.answers import Incoming, LateError
from worker.wire.lines import socket_options
from worker.wire.requests import Outgoing

USER_AGENT: Final = "ttsq"
PIECE_BYTES: Final = 256 * 1024
"""The most of a body that is taken in one read."""

NO_RETRIES: Final = Retry(total=False, redirect=False)
"""A POST that costs money is repeated by the queue, which writes down that it does so, or not at all."""


def origins(*, hosts: int, connections: int) -> PoolManager:
    """Pools for origins that aren't known beforehand; those of the `hosts` last used are kept."""
    return PoolManager(num_pools=hosts, maxsize=connections, block=False, socket_options=socket_options())


def address(text: str) -> Url:
    """`text` taken apart.

    Raises:
        UnusableAddressError: not an address at all.
    """
    try:
        return parse_url(text)
    except LocationParseError as error:
        raise UnusableAddressError(text) from error


def call_failure(error: HTTPError, body: Outgoing | None = None) -> Failure:
    """Why a request got no HTTP answer. A GET has no `body`: what isn't a failure to connect came after it."""
    begun, sent = (body.begun, body.sent) if body is not None else (True, True)
    late = isinstance(error, (LateError, ConnectTimeoutError)) and not isinstance(error, NewConnectionError)
    if not begun or isinstance(error, ConnectTimeoutError):
        return Failure.TIMEOUT_CONNECT if late else Failure.CONNECT
    if not sent:
        return Failure.SEND
    return Failure.TIMEOUT_READ if late else _broken(error)


def reason(error: BaseException) -> str:
    """What went wrong below HTTP, in the operating system's words where it has any."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.strerror:
            return getattr(seen, "verify_message", "") or seen.strerror
        nested = next((part for part in seen.args if isinstance(part, BaseException)), None)
        if nested is None and seen.__cause__ is None and str(seen):
            return str(seen)
        seen = nested or seen.__cause__
    return type(error).__name__


def pieces(response: Incoming, *, limit_bytes: int, seconds: float) -> Iterator[bytes]:
    """The body as it comes in, all of it within `seconds`: a body that drips in for ever would keep its slot for ever.

    Read to its end, its connection is free for the next call; the caller closes the response, which drops any other.

    Raises:
        BrokenBodyError: the body is cut off, too late, too large or garbled.
    """
    deadline = time.monotonic() + seconds
    decode = "content-encoding" in response.headers
    received = 0
    try:
        while piece := response.read1(PIECE_BYTES, decode_content=decode):
            received += len(piece)
            if received > limit_bytes:
                raise BrokenBodyError(Failure.TOO_LARGE)
            yield piece
            if time.monotonic() > deadline:
                raise BrokenBodyError(Failure.TIMEOUT_READ)
    except HTTPError as error:
        late = isinstance(error, (LateError, ReadTimeoutError))
        raise BrokenBodyError(Failure.TIMEOUT_READ if late else _broken(error)) from error


def _broken(error: HTTPError) -> Failure:
    """What became of an answer that had begun, or was due."""
    if isinstance(error, SSLError):
        return Failure.RESET
    match error.args:
        case (_, IncompleteRead()) if isinstance(error, ProtocolError):
            return Failure.CUT_OFF
        case (_, OSError()) if isinstance(error, ProtocolError):
            return Failure.RESET
        case _:
            return Failure.GARBLED
