"""The API's own host as both clients reach it: one pool of connections, and the key, which goes nowhere else."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from pydantic import SecretStr
from urllib3 import BaseHTTPResponse, Timeout
from urllib3.util import Url

from worker.segmind.errors import UnusableAddressError, UnusableKeyError
from worker.segmind.transport import NO_RETRIES, USER_AGENT, Outgoing, address, pool

_PORTS: Final = {"http": 80, "https": 443}


class Api:
    """One account's way to the API. Safe to share between threads; raises urllib3's errors."""

    def __init__(
        self, *, base_url: str, api_key: SecretStr, connections: int, connect_timeout: float, read_timeout: float
    ) -> None:
        """Timeouts in seconds.

        Raises:
            UnusableKeyError: the key can't stand in a header.
            UnusableAddressError: the base URL is no address.
        """
        self.url = address(base_url)
        self.key = SecretStr(_header_value(api_key))
        self.timeout = Timeout(connect=connect_timeout, read=read_timeout)
        self._pool = pool(self.url, connections=connections)
        self._headers = {
            "x-api-key": self.key.get_secret_value(),
            "User-Agent": USER_AGENT,
            "Accept-Encoding": "identity",
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

    def post(self, target: str, body: Outgoing) -> BaseHTTPResponse:
        """Send JSON; the response's body is yet to be read."""
        return self._pool.urlopen(
            "POST",
            target,
            body=body,
            headers={**self._headers, "Content-Type": "application/json", "Content-Length": str(len(body))},
            timeout=self.timeout,
            retries=NO_RETRIES,
            redirect=False,
            preload_content=False,
        )

    def get(self, target: str, timeout: Timeout | None = None) -> BaseHTTPResponse:
        """Ask for something; the response's body is yet to be read."""
        return self._pool.urlopen(
            "GET",
            target,
            headers=self._headers,
            timeout=timeout or self.timeout,
            retries=NO_RETRIES,
            redirect=False,
            preload_content=False,
        )

    def close(self) -> None:
        """Close all idle connections."""
        self._pool.close()


def _header_value(api_key: SecretStr) -> str:
    """The key without the white space that copying adds."""
    key = api_key.get_secret_value().strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise UnusableKeyError
    return key


def _origin(url: Url) -> tuple[str | None, str | None, int | None]:
    return url.scheme, url.host, url.port or _PORTS.get(url.scheme or "")
