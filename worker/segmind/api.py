"""The API's host: its connections, and the key, which is sent nowhere else."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from pydantic import SecretStr
from urllib3.util import Url

from worker.concurrency.reactor import Reactor
from worker.http_client.client import Exchange, HttpClient
from worker.http_client.pool import tls_trusting
from worker.http_client.proxies import BUNDLES, ProxyAddressError, proxy_for
from worker.http_client.requests import Outgoing
from worker.segmind.errors import UnusableAddressError, UnusableKeyError, UnusableRouteError
from worker.segmind.transport import USER_AGENT, address

_PORTS: Final = {"http": 80, "https": 443}


class Api:
    """One account's connections to the API. Thread-safe; raises urllib3's errors."""

    def __init__(
        self,
        *,
        base_url: str,
        api_key: SecretStr,
        connections: int,
        connect_timeout: float,
        read_timeout: float,
        reactor: Reactor,
    ) -> None:
        """Timeouts in seconds. Raises UnusableKeyError: the key is not a valid header value; UnusableAddressError: the
        base URL is invalid.
        """
        self.url = address(base_url)
        self.key = SecretStr(_header_value(api_key))
        self.connect_seconds, self.read_seconds = connect_timeout, read_timeout
        self.reactor = reactor
        self._http = _http_client(self.url, connections, reactor)
        self._headers = {
            "x-api-key": self.key.get_secret_value(),
            "User-Agent": USER_AGENT,
        }

    def target(self, *parts: str) -> str:
        below = "/".join(quote(part, safe="") for part in parts)
        return f"{(self.url.path or '').rstrip('/')}/{below}"

    def own_target(self, link: object) -> str | None:
        """The request target of a URL that the API returned, or None if it points to another host."""
        if not isinstance(link, str):
            return None
        try:
            url = address(link)
        except UnusableAddressError:
            return None
        return None if url.auth or _origin(url) != _origin(self.url) else url.request_uri

    async def post(self, target: str, body: Outgoing) -> Exchange:
        """Send JSON. The body of the answer is not read yet."""
        return await self._http.exchange(
            "POST",
            target,
            self._headers | {"Content-Type": "application/json"},
            body=body,
            connect_seconds=self.connect_seconds,
            read_seconds=self.read_seconds,
        )

    async def get(
        self, target: str, *, connect_seconds: float | None = None, read_seconds: float | None = None
    ) -> Exchange:
        return await self._http.exchange(
            "GET",
            target,
            self._headers,
            connect_seconds=connect_seconds or self.connect_seconds,
            read_seconds=read_seconds or self.read_seconds,
        )

    def close(self) -> None:
        self._http.close()


def _http_client(url: Url, connections: int, reactor: Reactor) -> HttpClient:
    if url.scheme not in _PORTS or not url.host:
        raise UnusableAddressError(url.url)
    try:
        tls = tls_trusting() if url.scheme == "https" else None
        proxy = proxy_for(url.scheme, url.host, url.port)
    except ProxyAddressError as error:
        raise UnusableRouteError(str(error)) from None
    except OSError as error:
        raise UnusableRouteError(f"{' or '.join(BUNDLES)}: {error}; name a file of certificates (PEM)") from None
    return HttpClient(url.host, url.port, connections=connections, reactor=reactor, tls=tls, proxy=proxy)


def _header_value(api_key: SecretStr) -> str:
    """The key without surrounding white space."""
    key = api_key.get_secret_value().strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise UnusableKeyError
    return key


def _origin(url: Url) -> tuple[str | None, str | None, int | None]:
    return url.scheme, url.host, url.port or _PORTS.get(url.scheme or "")
