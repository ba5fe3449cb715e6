"""Connections to file hosts. Requests to them carry no key."""

from __future__ import annotations

import ssl
import threading
from collections import OrderedDict
from typing import Final

from urllib3.util import Url

from worker.concurrency.reactor import Reactor
from worker.http_client.client import HttpClient
from worker.http_client.pool import tls_trusting
from worker.http_client.proxies import proxy_for
from worker.segmind.errors import UnusableAddressError

MAX_HOSTS: Final = 8
"""Hosts with kept connections; the vendor has one."""

_Origin = tuple[str, str, int | None, bool]


class FileHosts:
    """Thread-safe."""

    def __init__(self, *, connections: int, reactor: Reactor) -> None:
        """`connections` is the maximum of idle connections per host."""
        self._connections = connections
        self._reactor = reactor
        self._lock = threading.Lock()
        self._hosts: OrderedDict[_Origin, HttpClient] = OrderedDict()
        self._tls: ssl.SSLContext | None = None

    def at(self, url: Url, *, public_only: bool) -> HttpClient:
        """The client for the host of `url`; with `public_only` it must resolve to a public address. Raises
        UnusableAddressError: it has no host, or isn't http or https.
        """
        if url.scheme not in {"http", "https"} or not url.host:
            raise UnusableAddressError(url.url)
        origin = (url.scheme, url.host, url.port, public_only)
        with self._lock:
            client = self._hosts.pop(origin, None) or self._opened(*origin)
            self._hosts[origin] = client
            dropped = self._hosts.popitem(last=False)[1] if len(self._hosts) > MAX_HOSTS else None
        if dropped is not None:
            dropped.close()
        return client

    def close(self) -> None:
        with self._lock:
            hosts = tuple(self._hosts.values())
            self._hosts.clear()
        for client in hosts:
            client.close()

    def _opened(self, scheme: str, host: str, port: int | None, public_only: bool) -> HttpClient:
        if scheme == "https" and self._tls is None:
            self._tls = tls_trusting()
        tls = self._tls if scheme == "https" else None
        return HttpClient(
            host,
            port,
            connections=self._connections,
            reactor=self._reactor,
            tls=tls,
            public_only=public_only,
            proxy=proxy_for(scheme, host, port),
        )
