"""urllib3's connections with a limit on the whole exchange, and without what makes them read another's response."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.response import BaseHTTPResponse, HTTPResponse

from ttsq_client.deadline import Deadline

MAX_INTERIM: Final = 20
"""Interim responses (1xx) before the final one."""
_current = threading.local()


@contextmanager
def within(seconds: float) -> Iterator[Deadline]:
    """Limit the exchanges that this thread begins in the block."""
    before = getattr(_current, "deadline", None)
    with Deadline(seconds) as deadline:
        _current.deadline = deadline
        try:
            yield deadline
        finally:
            _current.deadline = before


def _watch(connection: HTTPConnection) -> None:
    deadline: Deadline | None = getattr(_current, "deadline", None)
    if deadline is not None and connection.sock is not None:
        deadline.watch(connection.sock)


class _FinalResponse(http.client.HTTPResponse):
    """http.client skips 100 alone: it would return a 103 as the response, and the response to the next request."""

    def _read_status(self) -> tuple[str, int, str]:
        for _ in range(MAX_INTERIM):
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if not 100 <= status < 200:
                return version, status, reason
            if status == 101:
                break
            headers = http.client.parse_headers(self.fp)
            if "content-length" in headers or "transfer-encoding" in headers:
                break  # what would follow may be its body, or the response
        raise http.client.BadStatusLine("no final response")


class _Bounded(HTTPConnection):
    response_class = _FinalResponse

    def connect(self) -> None:
        super().connect()
        _watch(self)

    def _tunnel(self) -> None:
        _watch(self)
        super()._tunnel()

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3 has it
        _watch(self)
        return super().getresponse()


class _BoundedTls(HTTPSConnection):
    response_class = _FinalResponse

    def connect(self) -> None:
        super().connect()
        _watch(self)

    def _tunnel(self) -> None:
        _watch(self)
        super()._tunnel()

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3 has it
        _watch(self)
        return super().getresponse()


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Bounded

    def _put_conn(self, conn: Any) -> None:  # noqa: ANN401 - of a private class
        _close(conn)
        super()._put_conn(None)


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _BoundedTls

    def _put_conn(self, conn: Any) -> None:  # noqa: ANN401 - of a private class
        _close(conn)
        super()._put_conn(None)


def _close(connection: Any) -> None:  # noqa: ANN401 - as above
    """Each exchange has its own connection, so that none can read what is due to another."""
    if connection is not None:
        connection.close()


def pool_manager(proxy: str | None, ca_certs: str | None, connections: int) -> urllib3.PoolManager:
    """Return a manager whose connections keep to the limit. `proxy` may hold a name and password."""
    options: dict[str, object] = {"maxsize": connections, "retries": False}
    if ca_certs is not None:
        options["ca_certs"] = ca_certs
    manager = urllib3.PoolManager(**options) if proxy is None else _proxied(proxy, options)  # type: ignore[arg-type]
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
    return manager


def _proxied(proxy: str, options: dict[str, object]) -> urllib3.ProxyManager:
    parts = urllib3.util.parse_url(proxy)
    headers = urllib3.make_headers(proxy_basic_auth=parts.auth) if parts.auth else None
    return urllib3.ProxyManager(parts._replace(auth=None).url, proxy_headers=headers, **options)  # type: ignore[arg-type]


def framing_fault(response: BaseHTTPResponse) -> str | None:
    """Return what leaves the end of the body open to two readings, or that it is compressed; None if it is sound."""
    length = response.headers.get("content-length")
    chunked = response.headers.get("transfer-encoding")
    if length is not None and not (length.isascii() and length.isdigit() and len(length) <= 18):
        return "the response has an invalid Content-Length"
    if chunked is not None and (length is not None or chunked.strip().lower() != "chunked"):
        return "the end of the response is ambiguous"
    if response.headers.get("content-encoding", "identity").strip().lower() != "identity":
        return "the response is compressed, which was not asked for"
    return None
