"""The gateway's address and the proxies on the way to it."""

from __future__ import annotations

import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

_SCHEMES = ("http", "https")


@dataclass(frozen=True, slots=True)
class Address:
    base: str
    """Without a slash at its end; it may have a path."""

    @classmethod
    def parse(cls, url: str) -> Address:
        """Return the base of all addresses of a gateway.

        Raises:
            ValueError: not the address of a web server. A password in it is not shown.
        """
        if not url.isascii() or any(character.isspace() or not character.isprintable() for character in url):
            raise ValueError("the gateway's address contains a space or another character that no address has")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ValueError("the gateway's address is malformed; use https://host or https://host/path") from None
        if parts.scheme not in _SCHEMES or not parts.hostname or port == 0 or "\\" in url:
            raise ValueError("the gateway's address must be like https://host or https://host/path")
        if parts.username is not None or parts.password is not None:
            raise ValueError("the gateway's address contains a name or password; pass the key as `key`")
        if parts.query or parts.fragment:
            raise ValueError("the gateway's address contains a query or fragment; remove it")
        return cls(f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}")

    def url(self, path: str, query: Mapping[str, object] | None = None) -> str:
        given = _query(query or {})
        return f"{self.base}{path}" + (f"?{given}" if given else "")

    def is_same_origin(self, url: str) -> bool:
        return _origin(url) == _origin(self.base)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _query(given: Mapping[str, object]) -> str:
    pairs = [
        (name, one)
        for name, value in given.items()
        for one in (value if isinstance(value, list | tuple) else [value])
        if one is not None
    ]
    return urlencode([(name, str(value)) for name, value in pairs])


@dataclass(frozen=True, slots=True, repr=False)
class Proxies:
    """Which proxy leads to an address. Its address may hold a password."""

    proxy: str | None
    trust_environment: bool

    def __post_init__(self) -> None:
        if self.proxy is not None and urlsplit(self.proxy).scheme not in _SCHEMES:
            raise ValueError("a proxy's address must begin with http:// or https://")

    def __repr__(self) -> str:
        return "Proxies(…)"

    def of(self, url: str) -> str | None:
        """Return the given proxy, or that of HTTP_PROXY, HTTPS_PROXY and NO_PROXY; None for none."""
        if self.proxy is not None or not self.trust_environment:
            return self.proxy
        parts = urlsplit(url)
        found = urllib.request.getproxies()
        proxy = found.get(parts.scheme) or found.get("all")
        if not proxy or urllib.request.proxy_bypass(parts.netloc.rpartition("@")[2]):
            return None
        proxy = proxy if "://" in proxy else f"http://{proxy}"
        if urlsplit(proxy).scheme not in _SCHEMES:
            raise ValueError(f"the proxy for {parts.scheme} in the environment is none for HTTP; pass `proxy`")
        return proxy
