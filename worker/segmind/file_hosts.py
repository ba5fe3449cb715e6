"""Connections to hosts that aren't known beforehand. Requests to them carry no key."""

from __future__ import annotations

import ssl
import threading
from collections import OrderedDict
from typing import Final

from urllib3.util import Url

from worker.concurrency.reactor import Reactor
from worker.http_client.client import HttpClient
from worker.http_client.pool import tls_trusting
from worker.segmind.errors import UnusableAddressError

MAX_HOSTS: Final = 8
"""Hosts whose connections are kept for the next file; the vendor has one."""

_Origin = tuple[str, str, int | None]


class FileHosts:
    """Safe to share between threads."""

    def __init__(self, *, connections: int, reactor: Reactor) -> None:
        """At most that many idle `connections` to each host."""
        self._connections = connections
        self._reactor = reactor
        self._lock = threading.Lock()
        self._hosts: OrderedDict[_Origin, HttpClient] = OrderedDict()
        self._tls: ssl.SSLContext | None = None

    def at(self, url: Url) -> HttpClient:
        """The connections to the host of `url`.

        Raises:
            UnusableAddressError: it names no host, or neither http nor https.
        """
        if url.scheme not in {"http", "https"} or not url.host:
            raise UnusableAddressError(url.url)
        origin = (url.scheme, url.host, url.port)
        with self._lock:
            lines = self._hosts.pop(origin, None) or self._opened(*origin)
            self._hosts[origin] = lines
            dropped = self._hosts.popitem(last=False)[1] if len(self._hosts) > MAX_HOSTS else None
        if dropped is not None:
            dropped.close()
        return lines

    def close(self) -> None:
        """Close all idle connections."""
        with self._lock:
            hosts = tuple(self._hosts.values())
            self._hosts.clear()
        for lines in hosts:
            lines.close()

    def _opened(self, scheme: str, host: str, port: int | None) -> HttpClient:
        if scheme == "https" and self._tls is None:
            self._tls = tls_trusting()
        tls = self._tls if scheme == "https" else None
        return HttpClient(host, port, connections=self._connections, reactor=self._reactor, tls=tls)
