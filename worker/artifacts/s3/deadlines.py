"""Bounds boto3's exchanges as a whole: its own timeouts begin anew with every byte, so that a store that sends one now
and then would hold a thread, and with it a slot, forever.
"""

from __future__ import annotations

import socket
import weakref
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
)

from worker.concurrency.reactor import Reactor

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

UNKNOWN_BYTES: Final = 8 << 20
"""Allowed for a body whose head names no length."""

_TIMERS: Final = Reactor()


@dataclass(frozen=True, slots=True)
class ExchangeLimits:
    """For sending a request, for the head of its answer, and for the body, however the bytes come."""

    seconds: float = 60.0
    bytes_per_second: float = 32 * 1024
    """Bodies have time for this rate besides."""


class _Bounded:
    """A connection that is shut down when an exchange takes too long; its user gets an error of the connection's."""

    limits = ExchangeLimits()
    _phase = 0
    """Grows with every exchange, so that a timer of an earlier one does nothing."""

    def request(self, method: str, url: str, body: Any = None, headers: Any = None, **options: Any) -> Any:  # noqa: ANN401 - urllib3's own
        self._bound(_length(headers, default=0), self.sock)  # type: ignore[attr-defined]
        return super().request(method, url, body, headers, **options)  # type: ignore[misc]

    def getresponse(self) -> Any:  # noqa: ANN401 - urllib3's own
        sock = self.sock  # type: ignore[attr-defined]  # the answer's alone, where it ends with the connection
        self._bound(0, sock)
        response: Any = super().getresponse()  # type: ignore[misc]
        self._bound(_length(response.headers, default=UNKNOWN_BYTES), sock)
        return response

    def close(self) -> None:
        self._phase += 1
        super().close()  # type: ignore[misc]

    def _bound(self, size: int, sock: Any) -> None:  # noqa: ANN401 - None before it is connected
        self._phase += 1
        connection, phase = weakref.ref(self), self._phase
        seconds = self.limits.seconds + size / self.limits.bytes_per_second
        _TIMERS.call_later(seconds, lambda: _expire(connection(), phase, sock))


def _expire(connection: Any, phase: int, sock: Any) -> None:  # noqa: ANN401 - either class
    if connection is not None and connection._phase != phase:  # noqa: SLF001 - of this module
        return
    sock = sock or (connection and connection.sock)
    if sock is not None:
        with suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)  # not TLS's own, which another thread may be reading from


class _Connection(_Bounded, AWSHTTPConnection):  # type: ignore[misc]
    pass


class _TlsConnection(_Bounded, AWSHTTPSConnection):  # type: ignore[misc]
    pass


def bound(client: S3Client, limits: ExchangeLimits) -> None:
    """Hold every exchange of this client to the limits."""

    class Connection(_Connection):
        pass

    class TlsConnection(_TlsConnection):
        pass

    class Pool(AWSHTTPConnectionPool):
        ConnectionCls = Connection

    class TlsPool(AWSHTTPSConnectionPool):
        ConnectionCls = TlsConnection

    Connection.limits = TlsConnection.limits = limits
    session: Any = client._endpoint.http_session  # type: ignore[attr-defined]  # noqa: SLF001 - botocore offers no way
    session._pool_classes_by_scheme.update(http=Pool, https=TlsPool)  # noqa: SLF001 - likewise


def _length(headers: Any, *, default: int) -> int:  # noqa: ANN401 - a mapping, or None
    value = (headers or {}).get("Content-Length", "")
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    return int(text) if text.isdecimal() and len(text) < 16 else default
