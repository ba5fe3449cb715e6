"""The addresses that webhooks may be sent to. A URL from a tenant must not lead into the operator's network.

Checked twice: the URL when it is submitted, to report mistakes at once; and the address of every connection. The second
check is the one that protects, because a name may resolve to another address by then.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final
from urllib.parse import urlsplit

from worker.webhooks.errors import ForbiddenAddressError, UnusableUrlError

MAX_URL_CHARACTERS: Final = 2_000

_Address = IPv4Address | IPv6Address
_SIX_TO_FOUR: Final = ipaddress.IPv6Network("2002::/16")
_NAT64: Final = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
_TEREDO: Final = ipaddress.IPv6Network("2001::/32")
_COMPATIBLE: Final = ipaddress.IPv6Network("::/96")


@dataclass(frozen=True, slots=True)
class Allowed:
    """Networks and host names that the operator permits besides the public internet over TLS."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    hosts: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, entries: Iterable[str]) -> Allowed:
        """Parse entries such as `10.0.0.0/8`, `127.0.0.1` or `hooks.internal`.

        Raises:
            ValueError: an invalid network.
        """
        networks: list[IPv4Network | IPv6Network] = []
        hosts: set[str] = set()
        for entry in filter(None, (entry.strip() for entry in entries)):
            if any(character in entry for character in "/:") or entry.replace(".", "").isdigit():
                networks.append(ipaddress.ip_network(entry, strict=False))
            else:
                hosts.add(entry.lower().rstrip("."))
        return cls(tuple(networks), frozenset(hosts))

    def permits(self, host: str, address: str) -> bool:
        found = ipaddress.ip_address(address.partition("%")[0])
        if host.lower().rstrip(".") in self.hosts:
            return True
        if any(found in network for network in self.networks if network.version == found.version):
            return True
        return is_public(found)


def is_public(address: _Address) -> bool:
    """Whether an address, and every IPv4 address embedded in it, is on the public internet."""
    if isinstance(address, IPv4Address):
        return address.is_global and not address.is_multicast
    inner = _carried(address)
    if inner is not None:
        return is_public(inner)
    return address.is_global and not address.is_multicast and not address.is_site_local


def _carried(address: IPv6Address) -> IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _SIX_TO_FOUR:
        return address.sixtofour
    if address in _TEREDO:
        # No webhook receiver uses Teredo, so it is refused like a loopback address.
        return IPv4Address("127.0.0.1")
    if any(address in network for network in _NAT64) or address in _COMPATIBLE:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return None


def checked_url(url: str, allowed: Allowed) -> str:
    """Return `url` if webhooks may be sent there, judged without resolving the name.

    Raises:
        UnusableUrlError: not the URL of a web server, or one that is never permitted.
    """
    if len(url) > MAX_URL_CHARACTERS:
        raise UnusableUrlError(f"is longer than {MAX_URL_CHARACTERS:,} characters")
    if not url.isascii() or any(character.isspace() or not character.isprintable() for character in url):
        raise UnusableUrlError("contains a character that a URL must not have; percent-encode it")
    if "\\" in url:
        raise UnusableUrlError("contains a backslash; use slashes")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise UnusableUrlError("is not a URL; use https://host/path") from None
    host = parts.hostname
    if parts.scheme not in {"http", "https"} or not host:
        raise UnusableUrlError("is not an http or https URL; use https://host/path")
    if parts.username is not None or parts.password is not None:
        raise UnusableUrlError("contains a user name or password; messages are signed instead")
    if parts.fragment:
        raise UnusableUrlError("contains a fragment (#), which is never sent; remove it")
    if port == 0:
        raise UnusableUrlError("uses port 0")
    _refuse_written_address(host, allowed)
    if parts.scheme == "http" and not _is_trusted(host, allowed):
        raise UnusableUrlError("is not encrypted; use https://")
    return url


def resolved(host: str, port: int, allowed: Allowed) -> list[tuple[int, tuple[str, int]]]:
    """Return the permitted addresses of a host, with their families.

    Raises:
        ForbiddenAddressError: none of its addresses is permitted.
        OSError: it has none.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    places = [(family, (str(place[0]), int(place[1]))) for family, *_, place in found]
    permitted: list[tuple[int, tuple[str, int]]] = [
        (family, place) for family, place in places if allowed.permits(host, place[0])
    ]
    if not permitted:
        raise ForbiddenAddressError(host)
    return permitted


def _refuse_written_address(host: str, allowed: Allowed) -> None:
    """Refuse numeric addresses, in every notation that resolvers accept."""
    if host.rstrip(".").lower() in {"localhost", "localhost.localdomain"} or host.lower().endswith(".localhost"):
        if host.lower() not in allowed.hosts:
            raise UnusableUrlError("points to this machine")
        return
    address = _written(host)
    if address is not None and not allowed.permits(host, str(address)):
        raise UnusableUrlError(f"points to {address}, which is not on the public internet")


def _written(host: str) -> _Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:
        # Many resolvers accept 127.1, 0x7f000001 and 017700000001.
        return IPv4Address(socket.inet_aton(host.rstrip(".")))
    except OSError:
        return None


def _is_trusted(host: str, allowed: Allowed) -> bool:
    if host.lower().rstrip(".") in allowed.hosts:
        return True
    address = _written(host)
    return address is not None and any(
        address in network for network in allowed.networks if network.version == address.version
    )
