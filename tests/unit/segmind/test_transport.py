"""Failures below HTTP: classified by how much of the request had been sent."""

from __future__ import annotations

import socket
import ssl
from http.client import BadStatusLine, IncompleteRead, RemoteDisconnected
from typing import Final

import pytest
from urllib3 import HTTPConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    InvalidHeader,
    NewConnectionError,
    ProtocolError,
    SSLError,
)

from worker.http_client.reasons import reason
from worker.http_client.requests import Outgoing
from worker.http_client.source import LateError
from worker.segmind.answers import Failure
from worker.segmind.transport import call_failure

POOL = HTTPConnectionPool("127.0.0.1", 9)

RESET = ProtocolError("Connection aborted.", ConnectionResetError(104, "Connection reset by peer"))
GONE = ProtocolError("Connection aborted.", RemoteDisconnected("Remote end closed connection without response"))
LATE = LateError("no answer within 20 s")
REFUSED = NewConnectionError(POOL, "Failed to establish a new connection")  # type: ignore[arg-type]
CONNECT_LATE = ConnectTimeoutError(POOL, "Connection timed out.")
TLS = SSLError(ssl.SSLError(1, "wrong version number"))
ROOM_BYTES: Final = 1 << 24
"""More than a connection buffers while the peer doesn't read."""


def waiting() -> Outgoing:
    """A body of which nothing has left."""
    return Outgoing(b"{}")


def leaving() -> Outgoing:
    """A body on its way, of which the other end takes nothing but the head."""
    body = Outgoing(b" " * ROOM_BYTES)
    near, far = socket.socketpair()
    near.settimeout(0.01)
    with near, far, pytest.raises(TimeoutError):
        body.send(near, b"POST / HTTP/1.1\r\n\r\n")
    return body


def sent() -> Outgoing:
    """A body that the operating system took."""
    body = Outgoing(b"{}")
    near, far = socket.socketpair()
    with near, far:
        body.send(near, b"POST / HTTP/1.1\r\n\r\n")
        assert far.makefile("rb").read(21) == b"POST / HTTP/1.1\r\n\r\n{}"
    return body


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (REFUSED, Failure.CONNECT),
        (RESET, Failure.CONNECT),
        (TLS, Failure.CONNECT),
        (CONNECT_LATE, Failure.TIMEOUT_CONNECT),
        (LATE, Failure.TIMEOUT_CONNECT),
    ],
)
def test_before_anything_left(error: HTTPError, failure: Failure) -> None:
    """Refusals, handshakes and their delays: no text has left, whatever the error's name."""
    assert call_failure(error, waiting()) is failure


@pytest.mark.parametrize("error", [RESET, GONE, LATE, TLS])
def test_while_leaving(error: HTTPError) -> None:
    """A request that didn't leave whole can't have been acted on."""
    assert call_failure(error, leaving()) is Failure.SEND


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (RESET, Failure.RESET),
        (GONE, Failure.RESET),
        (TLS, Failure.RESET),
        (LATE, Failure.TIMEOUT_READ),
        (ProtocolError("Connection aborted.", BadStatusLine("SSH")), Failure.GARBLED),
        (ProtocolError("Connection broken", IncompleteRead(b"")), Failure.CUT_OFF),
        (InvalidHeader("Content-Length"), Failure.GARBLED),
    ],
)
def test_after_sending(error: HTTPError, failure: Failure) -> None:
    """Once the whole request is out, every failure leaves open what the API did."""
    assert call_failure(error, sent()) is failure


@pytest.mark.parametrize(("error", "failure"), [(REFUSED, Failure.CONNECT), (LATE, Failure.TIMEOUT_READ)])
def test_without_a_body(error: HTTPError, failure: Failure) -> None:
    """A GET is classified by the error alone."""
    assert call_failure(error) is failure


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RESET, "Connection reset by peer"),
        (GONE, "Remote end closed connection without response"),
        (TLS, "wrong version number"),
        (HTTPError(), "HTTPError"),
    ],
)
def test_reasons_are_plain(error: HTTPError, words: str) -> None:
    """The user reads the operating system's words, not a chain of class names."""
    assert reason(error) == words
