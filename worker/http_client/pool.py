"""Idle connections to one origin, kept for reuse. urllib3's own pool does more per request than needed, and can't be
left
in the middle of one.
"""

from __future__ import annotations

import ssl
import weakref
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from urllib3._base_connection import ProxyConfig
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.util import Url
from urllib3.util.ssl_ import create_urllib3_context

from worker.http_client.addresses import CheckedHTTPConnection, CheckedHTTPSConnection, is_public, written
from worker.http_client.proxies import Proxy, TunnelConnection, bundle

SocketOptions = Sequence[tuple[int, int, int | bytes]]


class Connections:
    """Thread-safe. A connection has one user at a time."""

    def __init__(
        self,
        host: str,
        port: int | None,
        *,
        most_idle: int,
        tls: ssl.SSLContext | None = None,
        socket_options: SocketOptions = HTTPConnection.default_socket_options,
        public_only: bool = False,
        proxy: Proxy | None = None,
    ) -> None:
        """`tls` selects https; share one context, because each takes half a megabyte.

        `public_only` is for hosts named by others: no connection is made to an address outside the public internet.
        Through a proxy it is the proxy that resolves names.
        """
        self._proxy = proxy
        self._public_only = public_only
        self._host, self._port = host, port
        self._tls = tls
        self._plain = CheckedHTTPConnection if public_only else HTTPConnection
        self._encrypted = CheckedHTTPSConnection if public_only else HTTPSConnection
        self._socket_options = socket_options
        self._idle: deque[HTTPConnection] = deque()
        weakref.finalize(self, _close_all, self._idle)  # if never closed explicitly, like urllib3's pool
        self._most_idle = most_idle
        self._closed = False

    def take(self, connect_seconds: float) -> HTTPConnection:
        """The most recently used connection, which is least likely to be closed; or a new, unconnected one. Raises
        HTTPError: the pool was closed.
        """
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return self._new(connect_seconds)
            if connection.is_connected:
                connection.timeout = connect_seconds
                return connection
            connection.close()

    def keep(self, connection: HTTPConnection) -> None:
        """Keep a connection whose last answer was read to its end."""
        self._idle.append(connection)
        if len(self._idle) > self._most_idle:
            with suppress(IndexError):  # closed by another thread
                self._idle.popleft().close()

    def close(self) -> None:
        """Close idle connections; those in use close when their exchange ends."""
        self._closed, self._most_idle = True, 0
        _close_all(self._idle)

    def _new(self, connect_seconds: float) -> HTTPConnection:
        if self._closed:
            raise HTTPError("the client is closed")
        options = list(self._socket_options)
        if self._proxy is not None:
            return self._through(self._proxy.url, self._proxy.headers, connect_seconds)
        if self._tls is None:
            return self._plain(self._host, self._port, timeout=connect_seconds, socket_options=options)
        return self._encrypted(
            self._host, self._port, timeout=connect_seconds, socket_options=options, ssl_context=self._tls
        )

    def _through(self, proxy: Url, headers: Mapping[str, str], connect_seconds: float) -> HTTPConnection:
        """A connection to the proxy: for https it becomes a tunnel, for http the proxy takes the requests."""
        address = written(self._host) if self._public_only else None
        if address is not None and not is_public(address):
            raise HTTPError(f"{self._host} is an address that is not on the public internet")
        to_proxy: dict[str, Any] = {"host": proxy.host, "port": proxy.port, "timeout": connect_seconds}
        to_proxy["socket_options"] = list(self._socket_options)
        if self._tls is None and proxy.scheme == "http":
            return HTTPConnection(**to_proxy)
        if self._tls is None:
            return HTTPSConnection(**to_proxy, ssl_context=tls_trusting())
        own_tls = tls_trusting() if proxy.scheme == "https" else None
        config = ProxyConfig(own_tls, use_forwarding_for_https=False, assert_hostname=None, assert_fingerprint=None)
        tunnel = TunnelConnection(**to_proxy, ssl_context=self._tls, proxy=proxy, proxy_config=config)
        port = self._port or TunnelConnection.default_port
        tunnel.set_tunnel(self._host, port, dict(headers), scheme=str(proxy.scheme))
        return tunnel


def _close_all(idle: deque[HTTPConnection]) -> None:
    while idle:
        with suppress(IndexError):  # taken by another thread
            idle.pop().close()


def tls_trusting(trusted: Path | None = None) -> ssl.SSLContext:
    """Trust the authorities in this file or folder, else those that the environment names, else the system's. Raises
    OSError: the file or folder can't be read, or holds no certificate.
    """
    context = create_urllib3_context()
    trusted = trusted or bundle()
    if trusted is None:
        context.load_default_certs()
    elif trusted.is_dir():
        context.load_verify_locations(capath=trusted)
    else:
        context.load_verify_locations(cafile=trusted)
    return context
