"""One request to a receiver: to an address that was looked at, within a bounded time, following nothing it says.

Every request has a connection of its own. A receiver that answers a byte a minute is cut off like one that hangs.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

from worker.webhooks.addresses import Allowed, resolved

CONNECT_SECONDS: Final = 5.0
WHOLE_SECONDS: Final = 15.0
"""From the first look-up of the name to the last byte that is read."""
KEPT_CHARACTERS: Final = 1_000
LATE: Final = "no answer in time"
READ_BYTES: Final = 4_096
"""So much of an answer is read; the rest is nobody's business here."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, if anything did."""

    seconds: float
    status: int | None = None
    body: str | None = None
    asked_seconds: float | None = None
    """How long it wants to be left alone."""
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends requests, any number at a time, each on its caller's thread."""

    allowed: Allowed
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    connect_seconds: float = CONNECT_SECONDS
    whole_seconds: float = WHOLE_SECONDS

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send, and say what came of it. Never raises for anything that a receiver or the network does."""
        began = time.monotonic()
        try:
            status, given, text = self._exchange(url, headers, body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            seconds = time.monotonic() - began
            return Answer(seconds, error=LATE if seconds >= self.whole_seconds else _words(error))
        if time.monotonic() - began >= self.whole_seconds:
            # Cut off in the middle: to whoever reads it, that looks like the end of an answer.
            return Answer(time.monotonic() - began, error=LATE)
        asked = asked_seconds(given, self.clock())
        return Answer(time.monotonic() - began, status, text, asked, None if status < 300 else f"HTTP {status}")

    def _exchange(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str | None, str]:
        parts = urlsplit(url)
        host = str(parts.hostname)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        with self._connected(host, port, encrypted=parts.scheme == "https") as sock:
            connection = http.client.HTTPConnection(host, port)
            connection.sock = sock
            named = f"[{host}]" if ":" in host else host
            default = {"https": 443, "http": 80}[parts.scheme]
            connection.putrequest("POST", path, skip_host=True, skip_accept_encoding=True)
            connection.putheader("host", named if port == default else f"{named}:{port}")
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.putheader("content-length", str(len(body)))
            connection.putheader("connection", "close")
            connection.endheaders(body)
            response = connection.getresponse()
            text = response.read(READ_BYTES).decode("utf-8", "replace")[:KEPT_CHARACTERS]
            return response.status, response.getheader("retry-after"), text.replace("\x00", "\ufffd")

    @contextmanager
    def _connected(self, host: str, port: int, *, encrypted: bool) -> Iterator[socket.socket]:
        deadline = time.monotonic() + self.whole_seconds
        plain = self._connect(host, port)
        watch = threading.Timer(max(0.0, deadline - time.monotonic()), _cut, (plain,))
        watch.daemon = True
        watch.start()
        try:
            sock = self.tls.wrap_socket(plain, server_hostname=host) if encrypted else plain
            with sock:
                sock.settimeout(self.whole_seconds)
                yield sock
        finally:
            watch.cancel()
            plain.close()

    def _connect(self, host: str, port: int) -> socket.socket:
        """A connection to the first address of the host that is permitted and answers."""
        trouble: OSError | None = None
        for family, place in resolved(host, port, self.allowed):
            sock = socket.socket(family, socket.SOCK_STREAM)
            sock.settimeout(self.connect_seconds)
            try:
                sock.connect(place)
            except OSError as error:
                trouble = error
                sock.close()
                continue
            return sock
        raise trouble or OSError("no address")


def asked_seconds(given: str | None, now: datetime) -> float | None:
    """What a `Retry-After` asks for: seconds, or a date."""
    if given is None:
        return None
    word = given.strip()
    if word.isascii() and word.isdigit():
        return float(word[:9])
    with suppress(ValueError, TypeError, OverflowError):
        at = parsedate_to_datetime(word)
        return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds())
    return None


def _cut(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return LATE
    words = (str(error) or type(error).__name__).splitlines()[0]
    return words[:KEPT_CHARACTERS]
