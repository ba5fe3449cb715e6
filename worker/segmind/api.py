"""The API's own host as both clients reach it: its connections, and the key, which goes nowhere else."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from pydantic import SecretStr
from urllib3.util import Url

from worker.concurrency.reactor import Reactor
from worker.http_client.client import Exchange, HttpClient
from worker.http_client.pool import tls_trusting
from worker.http_client.requests import Outgoing
from worker.segmind.errors import UnusableAddressError, UnusableKeyError
from worker.segmind.transport import USER_AGENT, address

_PORTS: Final = {"http": 80, "https": 443}


class Api:
    """One account's way to the API. Safe to share between threads; raises urllib3's errors."""

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
        """Timeouts in seconds.

        Raises:
            UnusableKeyError: the key can't stand in a header.
            UnusableAddressError: the base URL is no address.
        """
        self.url = address(base_url)
        self.key = SecretStr(_header_value(api_key))
        self.connect_seconds, self.read_seconds = connect_timeout, read_timeout
        self.reactor = reactor
        self._lines = _lines(self.url, connections, reactor)
        self._headers = {
            "x-api-key": self.key.get_secret_value(),
            "User-Agent": USER_AGENT,
        }

    def target(self, *parts: str) -> str:
        """The request target of the endpoint with this path."""
        below = "/".join(quote(part, safe="") for part in parts)
        return f"{(self.url.path or '').rstrip('/')}/{below}"

    def own_target(self, link: object) -> str | None:
        """The request target of an address that the API gave, if it lies at the API itself; else it isn't trusted."""
        if not isinstance(link, str):
            return None
        try:
            url = address(link)
        except UnusableAddressError:
            return None
        return None if url.auth or _origin(url) != _origin(self.url) else url.request_uri

    async def post(self, target: str, body: Outgoing) -> Exchange:
        """Send JSON; the answer's body is yet to be read."""
        return await self._lines.exchange(
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
        """Ask for something; the answer's body is yet to be read. Timeouts that aren't given are the account's."""
        return await self._lines.exchange(
            "GET",
            target,
            self._headers,
            connect_seconds=connect_seconds or self.connect_seconds,
            read_seconds=read_seconds or self.read_seconds,
        )

    def close(self) -> None:
        """Close all idle connections."""
        self._lines.close()


def _lines(url: Url, connections: int, reactor: Reactor) -> HttpClient:
    if url.scheme not in _PORTS or not url.host:
        raise UnusableAddressError(url.url)
    tls = tls_trusting() if url.scheme == "https" else None
    return HttpClient(url.host, url.port, connections=connections, reactor=reactor, tls=tls)


def _header_value(api_key: SecretStr) -> str:
    """The key without the white space that copying adds."""
    key = api_key.get_secret_value().strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise UnusableKeyError
    return key


def _origin(url: Url) -> tuple[str | None, str | None, int | None]:
    return url.scheme, url.host, url.port or _PORTS.get(url.scheme or "")
