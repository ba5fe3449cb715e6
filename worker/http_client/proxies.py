"""HTTP proxies and certificate bundles of the environment, as boto3 honours them.

`HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` in either case; `REQUESTS_CA_BUNDLE`, then `CURL_CA_BUNDLE`. A proxy's
password is in no message and no representation.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast
from urllib.parse import unquote
from urllib.request import getproxies, proxy_bypass

from urllib3.connection import HTTPSConnection
from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from worker.http_client.heads import Head, Heads
from worker.http_client.source import HEAD_RECEIVE_BYTES, Source
from worker.settings import variable

BUNDLES: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_PORTS: Final = {"http": 80, "https": 443}
_TUNNEL_OPEN: Final = range(200, 300)


class ProxyAddressError(ValueError):
    """A proxy variable does not hold the address of an HTTP proxy. The message holds no part of the address."""

    def __init__(self, scheme: str) -> None:
        super().__init__(f"{scheme.upper()}_PROXY is not an address such as http://user:password@proxy.example:3128")


@dataclass(frozen=True, slots=True)
class Proxy:
    url: Url
    """Without user and password."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What authenticates a request to it."""


def proxy_for(scheme: str, host: str, port: int | None) -> Proxy | None:
    """Return the proxy for requests to this origin, or None. Raises ProxyAddressError: the variable holds no usable
    address.
    """
    given = getproxies().get(scheme)
    bare = host.strip("[]")
    named = f"[{bare}]" if ":" in bare else bare
    if not given or any(proxy_bypass(name) for name in (bare, named, f"{named}:{port or _PORTS[scheme]}")):
        return None
    return _parsed(given, scheme)


def bundle() -> Path | None:
    """Return the file or folder of trusted authorities that the environment names."""
    named = next(filter(None, map(variable, BUNDLES)), None)
    return Path(named) if named else None


def _parsed(given: str, scheme: str) -> Proxy:
    try:
        url = parse_url(given if "://" in given else f"http://{given}")
    except LocationParseError:
        raise ProxyAddressError(scheme) from None
    if url.scheme not in _PORTS or not url.host:
        raise ProxyAddressError(scheme)
    headers = {}
    if url.auth:
        secret = base64.b64encode(unquote(url.auth).encode()).decode()
        headers = {"Proxy-Authorization": f"Basic {secret}"}
    return Proxy(Url(url.scheme, host=url.host, port=url.port or _PORTS[url.scheme]), headers)


class TunnelConnection(HTTPSConnection):
    """HTTPS through a proxy's CONNECT, whose answer has one deadline and bounded heads."""

    def _tunnel(self) -> None:
        """Called by urllib3 between the connection to the proxy and TLS with the origin."""
        if self.proxy is None:
            raise OSError("no proxy is set")
        target = f"{_bracketed(str(self._tunnel_host))}:{self._tunnel_port}"
        headers = cast("Mapping[str, str]", self._tunnel_headers)  # type: ignore[attr-defined]  # as above
        lines = [
            f"CONNECT {target} HTTP/1.1",
            f"Host: {target}",
            *(f"{name}: {text}" for name, text in headers.items()),
        ]
        self.sock.sendall("\r\n".join([*lines, "\r\n"]).encode("latin-1"))
        head = _answered(Source(self.sock, float(self.timeout or 0)))
        if head.status not in _TUNNEL_OPEN:
            remedy = "; check its user and password" if head.status == 407 else ""
            reason = f"the proxy {self.proxy.host}:{self.proxy.port} answered {head.status}{remedy}"
            self.close()
            raise OSError(0, reason)


def _answered(source: Source) -> Head:
    heads = Heads()
    while True:
        piece = source.receive(HEAD_RECEIVE_BYTES)
        if not piece:
            raise OSError(0, "the proxy closed the connection without an answer")
        head = heads.feed(piece)
        if head is not None:
            return head


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
