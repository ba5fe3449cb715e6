"""Sends one request to a receiver: to a permitted address, within a time limit, without following redirects.

Every request has its own connection. A receiver that sends a byte per minute is cut off like one that hangs.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

from urllib3.exceptions import HTTPError, ProtocolError

from worker.http_client.addresses import resolved
from worker.http_client.client import ANSWERED_EARLY, FIRST_REFUSAL
from worker.http_client.reasons import reason
from worker.http_client.requests import Outlet, head, host_header
from worker.http_client.responses import Response, read_answer
from worker.http_client.source import LateError
from worker.webhooks.addresses import Allowed

CONNECT_SECONDS: Final = 5.0
WHOLE_SECONDS: Final = 15.0
"""From resolving the name to the last byte read."""
_MIN_SECONDS: Final = 0.001
"""A timeout of zero would make the socket non-blocking."""
KEPT_CHARACTERS: Final = 1_000
LATE: Final = "no response in time"
READ_BYTES: Final = 4_096
"""Maximum read of a response; the rest is not needed."""


@dataclass(frozen=True, slots=True)
class Answer:
    seconds: float
    status: int | None = None
    body: str | None = None
    asked_seconds: float | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Sender:
    allowed: Allowed
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    connect_seconds: float = CONNECT_SECONDS
    whole_seconds: float = WHOLE_SECONDS

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send a request. Errors of the receiver or the network are returned, never raised."""
        began = time.monotonic()
        try:
            status, given, text = self._exchange(url, headers, body)
        except (OSError, HTTPError, ValueError) as error:
            return Answer(time.monotonic() - began, error=_describe(error))
        asked = asked_seconds(given, self.clock())
        return Answer(time.monotonic() - began, status, text, asked, None if status < 300 else f"HTTP {status}")

    def _exchange(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str | None, str]:
        parts = urlsplit(url)
        host = str(parts.hostname)
        default = {"https": 443, "http": 80}[parts.scheme]
        port = parts.port or default
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        due = time.monotonic() + self.whole_seconds
        named = {"host": host_header(host, port, default), **headers, "connection": "close"}
        first = head("POST", path, named, host=host, body_bytes=len(body))
        with self._connected(host, port, encrypted=parts.scheme == "https", due=due) as sock:
            whole = _sent(sock, first + body, due - time.monotonic())
            response = read_answer(sock, "POST", head_seconds=due - time.monotonic())
            if not whole and response.status < FIRST_REFUSAL:
                raise ProtocolError("the receiver responded before the whole message was sent")
            text = _text(response)
            return response.status, response.headers.get("retry-after"), text.replace("\x00", "\ufffd")

    @contextmanager
    def _connected(self, host: str, port: int, *, encrypted: bool, due: float) -> Iterator[socket.socket]:
        with closing(self._connect(host, port, due)) as plain:
            # The timeout covers the handshake as a whole.
            plain.settimeout(max(_MIN_SECONDS, due - time.monotonic()))
            sock = self.tls.wrap_socket(plain, server_hostname=host) if encrypted else plain
            with sock:
                yield sock

    def _connect(self, host: str, port: int, due: float) -> socket.socket:
        last_error: OSError | None = None
        for family, place in resolved(host, port, self.allowed.permits):
            sock = socket.socket(family, socket.SOCK_STREAM)
            sock.settimeout(max(_MIN_SECONDS, min(self.connect_seconds, due - time.monotonic())))
            try:
                sock.connect(place)
            except OSError as error:
                last_error = error
                sock.close()
                continue
            return sock
        raise last_error or OSError("the host has no address")


def asked_seconds(given: str | None, now: datetime) -> float | None:
    if given is None:
        return None
    text = given.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    with suppress(ValueError, TypeError, OverflowError):
        at = parsedate_to_datetime(text)
        return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds())
    return None


def _sent(sock: socket.socket, message: bytes, seconds: float) -> bool:
    """Send the message. Returns False if the receiver refused part of it and closed."""
    try:
        Outlet(sock, seconds).sendall(message)
    except OSError as error:
        if error.errno not in ANSWERED_EARLY:
            raise
        return False
    return True


def _text(response: Response) -> str:
    try:
        return response.read(READ_BYTES).decode("utf-8", "replace")[:KEPT_CHARACTERS]
    except HTTPError:
        return ""


def _describe(error: Exception) -> str:
    if isinstance(error, TimeoutError | LateError):
        return LATE
    message = (reason(error) or type(error).__name__).splitlines()[0]
    return message[:KEPT_CHARACTERS]
