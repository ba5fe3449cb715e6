"""The addresses that webhooks may be sent to. A URL from a tenant must not lead into the operator's network.

Checked twice: the URL when it is submitted, to report mistakes at once; and the address of every connection. The second
check is the one that protects, because a name may resolve to another address by then.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Final
from urllib.parse import urlsplit

from worker.http_client.addresses import is_public, written
from worker.webhooks.errors import UnusableUrlError

MAX_URL_CHARACTERS: Final = 2_000
_PERMIT: Final = "the operator permits it with TTSQ_WEBHOOK_ALLOW={}"
"""The gateway checks the URL, and workers check again when they connect: both need the setting."""


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
        raise UnusableUrlError(f"is not encrypted; use https://, or {_PERMIT.format(host)}")
    return url


def _refuse_written_address(host: str, allowed: Allowed) -> None:
    """Refuse numeric addresses, in every notation that resolvers accept."""
    if host.rstrip(".").lower() in {"localhost", "localhost.localdomain"} or host.lower().endswith(".localhost"):
        if host.lower() not in allowed.hosts:
            raise UnusableUrlError(f"points to this machine; {_PERMIT.format('localhost')}")
        return
    address = written(host)
    if address is not None and not allowed.permits(host, str(address)):
        raise UnusableUrlError(f"points to {address}, which is not on the public internet; {_PERMIT.format(address)}")


def _is_trusted(host: str, allowed: Allowed) -> bool:
    if host.lower().rstrip(".") in allowed.hosts:
        return True
    address = written(host)
    return address is not None and any(
        address in network for network in allowed.networks if network.version == address.version
    )
