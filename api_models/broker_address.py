"""The address of Redis behind Sentinels: several hosts, the name under which they know the primary, and TLS options.

TLS is used where any of its options is given: to the Sentinels and to Redis alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote

from api_models.hints import did_you_mean

SCHEME: Final = "sentinel://"
PORT: Final = 26_379
EXAMPLE: Final = "sentinel://host-1:26379,host-2:26379/0?master_name=mymaster"
TLS_EXAMPLE: Final = f"{EXAMPLE}&ssl_cert_reqs=required"
TLS_OPTIONS: Final = ("ssl_cert_reqs", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname")
"""Options of redis; paths are those of PEM files."""
_TLS_CHECKS: Final = ("CERT_REQUIRED", "CERT_OPTIONAL", "CERT_NONE", "required", "optional", "none")
_SWITCH: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_QUERY: Final = ("master_name", "sentinel_username", "sentinel_password", *TLS_OPTIONS)


@dataclass(frozen=True, slots=True)
class SentinelAddress:
    sentinels: tuple[tuple[str, int], ...]
    master_name: str
    database: int = 0
    username: str | None = None
    password: str | None = None
    """Of Redis itself."""
    sentinel_username: str | None = None
    sentinel_password: str | None = None
    tls: Mapping[str, Any] = field(default_factory=dict)
    """redis's own options; empty without TLS."""

    def celery_url(self) -> str:
        """kombu's form: one address for each Sentinel."""
        user = "" if self.username is None else quote(self.username, safe="")
        secret = "" if self.password is None else f":{quote(self.password, safe='')}"
        before = f"{SCHEME}{user}{secret}{'@' if user or secret else ''}"
        hosts = (f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.sentinels)
        return ";".join(f"{before}{host}/{self.database}" for host in hosts)

    def transport_options(self, *, seconds: float) -> dict[str, Any]:
        """kombu's options besides the URL. A Sentinel has `seconds` to answer."""
        known = {"username": self.sentinel_username, "password": self.sentinel_password}
        limits = {"socket_timeout": seconds, "socket_connect_timeout": seconds}
        signing_on = {name: value for name, value in known.items() if value is not None}
        secured = {"ssl": True, **self.tls} if self.tls else {}
        return {"master_name": self.master_name, "sentinel_kwargs": {**signing_on, **limits, **secured}}


def sentinel_address(url: str) -> SentinelAddress | None:
    """Parse the address; None for any other scheme. Hosts are separated by commas, or as Celery does by semicolons.

    Raises:
        ValueError: it isn't complete; the message has no part of the address, which may hold a password.
    """
    if not url.startswith(SCHEME):
        return None
    # Celery repeats scheme, user and database with each host; the first and the last of them count.
    parts = url.split(";")
    last, _, query = parts[-1].partition("?")
    named = _options(query)
    bare = [part.removeprefix(SCHEME) for part in (*parts[:-1], last)]
    user, secret = _user(bare[0])
    _, _, database = bare[-1].rpartition("@")[2].partition("/")
    hosts = [host for part in bare for host in part.rpartition("@")[2].partition("/")[0].split(",") if host]
    if not hosts:
        raise ValueError(f"names no Sentinel; use {EXAMPLE}")
    if database and not database.isdecimal():
        raise ValueError(f"must end with a database's number; use {EXAMPLE}")
    return SentinelAddress(
        tuple(_host(host) for host in hosts),
        named["master_name"],
        int(database or 0),
        user,
        secret,
        named.get("sentinel_username"),
        named.get("sentinel_password"),
        _tls(named),
    )


def _options(query: str) -> dict[str, str]:
    named = dict(parse_qsl(query))
    if unknown := sorted(named.keys() - set(_QUERY)):
        raise ValueError(f"has the unknown option {unknown[0][:40]!a} (known: {', '.join(_QUERY)})")
    if not named.get("master_name"):
        raise ValueError(f"needs the name of the primary: add ?master_name=NAME, as in {EXAMPLE}")
    return named


def check_tls(named: Mapping[str, str]) -> None:
    """Raise ValueError if an option of TLS has a value that redis doesn't know."""
    if (check := named.get("ssl_cert_reqs", "required")) not in _TLS_CHECKS:
        raise ValueError(f"has an invalid ssl_cert_reqs{did_you_mean(check, _TLS_CHECKS)}; write required")


def _tls(named: Mapping[str, str]) -> dict[str, Any]:
    check_tls(named)
    found: dict[str, Any] = {name: named[name] for name in TLS_OPTIONS if name in named}
    if not found:
        return {}
    found["ssl_cert_reqs"] = found.get("ssl_cert_reqs", "required").removeprefix("CERT_").lower()
    if (hosts := found.get("ssl_check_hostname")) is not None:
        if hosts.lower() not in _SWITCH:
            raise ValueError("has an invalid ssl_check_hostname; write true or false")
        found["ssl_check_hostname"] = _SWITCH[hosts.lower()]
    return found


def _user(part: str) -> tuple[str | None, str | None]:
    before, at, _ = part.rpartition("@")
    if not at:
        return None, None
    name, colon, secret = before.partition(":")
    return unquote(name) or None, unquote(secret) if colon else None


def _host(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or host.count("[") != host.count("]"):
        host, port = text, str(PORT)
    if not port.isdecimal() or not 0 < int(port) < 65_536:
        raise ValueError(f"has a Sentinel without a valid port; use {EXAMPLE}")
    return host.strip("[]"), int(port)
