"""Which addresses a URL from outside may lead to: the public internet, however the address is written or resolved.

Used for links to audio and for webhooks. A name is resolved, and what it resolves to is checked, right before
connecting: it may resolve to another address by then.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Final

from urllib3.connection import HTTPConnection, HTTPSConnection

Address = IPv4Address | IPv6Address
Permits = Callable[[str, str], bool]
"""Whether this host may be contacted at this address."""

_NOT_PUBLIC: Final = (
    ipaddress.IPv4Network("192.0.0.0/24"),  # protocol assignments
    ipaddress.IPv4Network("192.88.99.0/24"),  # relays of 6to4
)
"""Ranges that Python 3.11 takes for public, at least in part. https://www.iana.org/assignments/iana-ipv4-special-registry"""
_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
"""All public addresses of IPv6; the rest is reserved, local or translated."""
_RESERVED: Final = tuple(ipaddress.IPv6Network(network) for network in ("2001::/23", "3fff::/20"))
"""Protocol assignments, such as Teredo and ORCHID, and documentation."""
_SIX_TO_FOUR: Final = ipaddress.IPv6Network("2002::/16")
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_ISATAP: Final = frozenset({0x0000_5EFE, 0x0200_5EFE})
"""The second half of such an address begins with it; its IPv4 address follows."""


class ForbiddenAddressError(OSError):
    """The host is not on the public internet, and not permitted by the operator."""

    def __init__(self, host: str) -> None:
        super().__init__(f"{host} resolves to an address that is not on the public internet")


def is_public(address: Address) -> bool:
    """Whether an address, and every IPv4 address embedded in it, is on the public internet."""
    if isinstance(address, IPv4Address):
        special = any(address in network for network in _NOT_PUBLIC)
        return address.is_global and not address.is_multicast and not special
    inner = _carried(address)
    if inner is not None and not is_public(inner):
        return False
    if address.ipv4_mapped is not None or address in _NAT64:
        return True
    reserved = any(address in network for network in _RESERVED)
    return address in _UNICAST and address.is_global and not reserved


def _carried(address: IPv6Address) -> IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _SIX_TO_FOUR:
        return address.sixtofour
    if address in _NAT64 or (int(address) >> 32) & 0xFFFF_FFFF in _ISATAP:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return None


def written(host: str) -> Address | None:
    """Return the address that a host is written as, in any notation that resolvers accept; None for a name."""
    plain = host.strip("[]").partition("%")[0]
    try:
        return ipaddress.ip_address(plain)
    except ValueError:
        pass
    try:
        # Many resolvers accept 127.1, 0x7f000001 and 017700000001.
        return IPv4Address(socket.inet_aton(plain.rstrip(".")))
    except (OSError, ValueError):
        return None


def public_only(_host: str, address: str) -> bool:
    return is_public(ipaddress.ip_address(address.partition("%")[0]))


def resolved(host: str, port: int, permits: Permits) -> list[tuple[int, tuple[str, int]]]:
    """Return the permitted addresses of a host, with their families. Raises ForbiddenAddressError: none of its
    addresses is permitted; OSError: it has none.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:  # a label of over 63 characters
        raise OSError(f"{host} is not a name that can be resolved") from None
    places = [(family, (str(place[0]), int(place[1]))) for family, *_, place in found]
    permitted: list[tuple[int, tuple[str, int]]] = [
        (family, place) for family, place in places if permits(host, place[0])
    ]
    if not permitted:
        raise ForbiddenAddressError(host)
    return permitted


class _Checked(HTTPConnection):
    permits: Permits = staticmethod(public_only)

    def _new_conn(self) -> socket.socket:
        name, places = self._dns_host, resolved(self._dns_host, self.port or self.default_port, self.permits)
        try:
            return self._first_of([place[0] for _, place in places])
        finally:
            self._dns_host = name

    def _first_of(self, addresses: Sequence[str]) -> socket.socket:
        *others, last = addresses
        for address in others:
            try:
                return self._at(address)
            except Exception:  # noqa: BLE001, S112 - the next address may work; the last one's error is raised
                continue
        return self._at(last)

    def _at(self, address: str) -> socket.socket:
        self._dns_host = address
        sock: Any = super()._new_conn()
        return sock  # type: ignore[no-any-return]


class CheckedHTTPConnection(_Checked):
    """To public addresses only."""


class CheckedHTTPSConnection(_Checked, HTTPSConnection):
    """To public addresses only; the certificate must be the host's."""
