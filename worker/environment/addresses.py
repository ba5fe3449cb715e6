"""Validates every address that a setting may name. Pure: resolves no name and opens no connection.

A message never contains any part of the value but its scheme: an unescaped character moves pieces of a password into
what looks like a host, a port or a path.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from api_models.broker_address import EXAMPLE as SENTINEL_EXAMPLE
from api_models.broker_address import TLS_EXAMPLE, TLS_OPTIONS, check_tls, sentinel_address
from api_models.hints import did_you_mean, quoted
from api_models.origins import OFFICIAL_BASE_URL, canonical_base_url

DATABASE_EXAMPLE: Final = "sqlite:///folder/file.db or postgresql+psycopg://user@host:5432/name"
BROKER_EXAMPLE: Final = "redis://host:6379/0"
MEMORY: Final = "memory://"
LOOPBACK: Final = "127.0.0.1"
MIN_MASKED_CHARACTERS: Final = 8
"""A shorter password is masked in addresses only: it may be part of ordinary words."""

_SQLITE_DRIVERS: Final = frozenset({"sqlite", "sqlite+pysqlite"})
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_HOST: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?")
_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,253}")
_MAX_PORT: Final = 65_535
_DATABASE_NUMBER: Final = re.compile(r"/?|/[0-9]{1,9}")
_BROKER_SCHEMES: Final = ("redis", "rediss")
_BROKER_REMEDIES: Final[Mapping[str, str]] = {
    "valkey": "write redis://, which Valkey speaks",
    "valkeys": "write rediss://, which Valkey speaks over TLS",
    "redis+socket": "let Redis listen on a port, and write redis://",
    "unix": "let Redis listen on a port, and write redis://",
    "http": "write redis://",
    "https": "write rediss://",
    "postgresql": "that is an address for TTSQ_DATABASE_URL",
    **dict.fromkeys(("redis+sentinel", "redis-sentinel"), f"write {SENTINEL_EXAMPLE}"),
    **dict.fromkeys(
        ("rediss+sentinel", "rediss-sentinel", "sentinels", "sentinel+tls", "sentinel+ssl"), f"write {TLS_EXAMPLE}"
    ),
}

_WORD: Final = re.compile(r"(?:[^\s\\]|\\.)+")
_ESCAPED: Final = re.compile(r"\\(.)")
_SETTING: Final = re.compile(r"(?:-c\s*|--)([A-Za-z_][\w.-]*)=(.*)", re.DOTALL)
"""A setting in the `options` of PostgreSQL's startup packet."""


def database_address(value: str) -> str:
    """Return the address with the driver that is installed. Raises ValueError: it names no database that can be opened,
    with the remedy.
    """
    _require_scheme(value, DATABASE_EXAMPLE)
    try:
        url = make_url(re.sub(r"^postgres(?=[:+])", "postgresql", value.strip()))
    except ArgumentError:
        raise ValueError(f"is not a database address; write {DATABASE_EXAMPLE}") from None
    except ValueError:  # the port is no number
        raise ValueError(_unreadable(value, DATABASE_EXAMPLE)) from None
    match url.get_backend_name():
        case "sqlite":
            return _sqlite(url, value.strip())
        case "postgresql":
            return _postgresql(url)
        case _:
            raise ValueError(f"names a database that is not supported; write {DATABASE_EXAMPLE}")


def _sqlite(url: URL, value: str) -> str:
    if url.drivername not in _SQLITE_DRIVERS:
        raise ValueError(f"names the driver {url.drivername.partition('+')[2]}; write sqlite:///file without a driver")
    if url.host:
        raise ValueError("has two slashes; write three for a relative path (sqlite:///file.db), four for an absolute")
    path = url.database or ""
    if path in {"", ":memory:"} or path.startswith("file:"):
        raise ValueError("names no file, and a database in memory is lost at the end; write sqlite:///folder/file.db")
    if url.query:
        raise ValueError("has options, which an SQLite file does not take; remove what follows the ?")
    if path.endswith("/"):
        raise ValueError("names a folder; write the file too, as in sqlite:///folder/file.db")
    if path.startswith("~"):
        raise ValueError("begins with ~, which is not expanded; write the whole path, with four slashes")
    return value


def _postgresql(url: URL) -> str:
    hosts = [url.host or "", *_values(url.query.get("host"))]
    named = [host for host in hosts if host]
    if len(named) > 1 or any("," in host for host in named) or "hostaddr" in url.query:
        raise ValueError("names several hosts; name one: the primary, or the pooler or address in front of it")
    if not named:
        raise ValueError(f"names no host; write {DATABASE_EXAMPLE}, or add ?host=/var/run/postgresql for a Unix socket")
    if not named[0].startswith("/"):
        _require_host(named[0])
    _require_port(url.port if url.host else _number(url.query.get("port")))
    if "@" in (url.database or "") or "/" in (url.database or "") or "#" in (url.database or ""):
        raise ValueError(f"has a /, @ or # after the host: {_ESCAPE}")
    if url.query:
        _require_known(url.query, _libpq_options())
        session_settings(" ".join(_values(url.query.get("options"))))
    return url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


def session_settings(options: str) -> dict[str, str]:
    """Return what the `options` of a PostgreSQL address set, by name. Raises ValueError: they hold something other than
    settings.
    """
    settings: dict[str, str] = {}
    words = [_ESCAPED.sub(r"\1", word) for word in _WORD.findall(options)]
    while words:
        word = words.pop(0)
        if word == "-c" and words:
            word += words.pop(0)
        setting = _SETTING.fullmatch(word)
        if setting is None:
            raise ValueError(f"has options that are no settings ({word!r}); write ?options=-csearch_path%3Dname")
        settings[setting[1].replace("-", "_")] = setting[2]
    return settings


def _libpq_options() -> list[str]:
    from psycopg.pq import Conninfo  # noqa: PLC0415 - loads the driver, for addresses with options alone

    return [option.keyword.decode() for option in Conninfo.get_defaults()]


def broker_address(value: str) -> str:
    """Return the address of the broker. Raises ValueError: it names no broker that can be used, with the remedy."""
    scheme = _require_scheme(value, f"{MEMORY} or {BROKER_EXAMPLE}")
    if scheme == "memory":
        return MEMORY
    if scheme == "sentinel":
        sentinel_address(value.strip())
        return value.strip()
    if scheme not in _BROKER_SCHEMES:
        remedy = _BROKER_REMEDIES.get(scheme, f"write {MEMORY} or {BROKER_EXAMPLE}")
        raise ValueError(f"names a broker that is not supported ({scheme}://); {remedy}")
    parts = _split(value, BROKER_EXAMPLE)
    if not _DATABASE_NUMBER.fullmatch(parts.path):
        raise ValueError(f"must end with the number of a Redis database; write {BROKER_EXAMPLE}")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if options and scheme == "redis":
        raise ValueError("has options, which only rediss:// takes; remove what follows the ?")
    _require_known(options, TLS_OPTIONS)
    check_tls(options)
    return scheme + value.strip()[len(scheme) :]


def api_address(value: str) -> str:
    """Return the API's address, normalised; Segmind's without the version that the client adds. Raises ValueError: it
    is no http or https address, with the remedy.
    """
    parts = _web(value, OFFICIAL_BASE_URL)
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"contains a user or password; write {OFFICIAL_BASE_URL}, and the key in SEGMIND_API_KEY")
    address = canonical_base_url(value.strip())
    if address.startswith(f"{OFFICIAL_BASE_URL}/"):
        raise ValueError(f"names more than the API's host; write {OFFICIAL_BASE_URL}")
    return address


def public_address(value: str) -> str:
    """Return a base URL at which audio is readable. Raises ValueError."""
    _web(value, "https://audio.example.com")
    return value.strip()


def artifacts_address(value: str) -> str:
    """Return the address of a folder or bucket. Raises ValueError."""
    example = "file:///folder or s3://bucket/prefix"
    match _require_scheme(value, example):
        case "file":
            if not value.strip().startswith("file:///"):
                raise ValueError("needs three slashes and the whole path: file:///folder")
        case "s3":
            bucket = value.strip()[len("s3://") :].partition("/")[0]
            if not _BUCKET.fullmatch(bucket):
                raise ValueError(f"names no bucket, or one with characters that no bucket may have; write {example}")
        case scheme:
            raise ValueError(f"names a store that is not supported ({scheme}://); write {example}")
    return value.strip()


def allowed_destinations(value: str) -> str:
    """Return a comma-separated list of networks and host names. Raises ValueError."""
    for entry in filter(None, (entry.strip() for entry in value.split(","))):
        if any(character in entry for character in "/:") or entry.replace(".", "").isdigit():
            try:
                ipaddress.ip_network(entry, strict=False)
            except ValueError:
                raise ValueError(
                    f"{quoted(entry)} is not a network; write 10.0.0.0/8, or a name as hooks.lan"
                ) from None
        elif not _HOST.fullmatch(entry):
            raise ValueError(f"{quoted(entry)} is neither a network nor a host name; write 10.0.0.0/8,hooks.lan")
    return value


def listening_address(value: str) -> str:
    """Return `host:port` to listen on; a port alone is loopback's. Raises ValueError."""
    host, _, port = value.strip().rpartition(":")
    if not (port.isascii() and port.isdigit() and len(port) <= len(str(_MAX_PORT))):
        raise ValueError("ends without a port; write 127.0.0.1:9464 or [::1]:9464")
    _require_port(int(port))
    if host:
        _require_host(host)
    return f"{host or LOOPBACK}:{int(port)}"


def is_loopback(address: str) -> bool:
    """Whether an http or https address leads to this machine, judged without resolving its name."""
    host = (urlsplit(address).hostname or "").rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        found = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback


def is_nearby(address: str) -> bool:
    """Whether a host is of this network: a private address, or a name without a domain, as containers have."""
    host = urlsplit(address).hostname or ""
    try:
        found = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return "." not in host and host[:1].isalpha()  # a number is an address too
    return bool((getattr(found, "ipv4_mapped", None) or found).is_private)


def passwords(address: str) -> set[str]:
    """The password in a validated address, as written and decoded, where masking it leaves the rest readable."""
    userinfo, _, rest = urlsplit(address).netloc.rpartition("@")
    written = userinfo.partition(":")[2]
    elsewhere = f"{address.partition('://')[0]} {rest} {urlsplit(address).path} {userinfo.partition(':')[0]}"
    beside = dict(parse_qsl(urlsplit(address).query)).get("sentinel_password", "")
    return {
        one for one in (written, unquote(written), beside) if len(one) >= MIN_MASKED_CHARACTERS and one not in elsewhere
    }


_ESCAPE: Final = "percent-encode the password, as in %23 for #, %2F for /, %3F for ?, %40 for @, %5B for ["


def _web(value: str, example: str) -> SplitResult:
    scheme = _require_scheme(value, example)
    if scheme not in {"http", "https"}:
        raise ValueError(f"is not an http or https address; write one such as {example}")
    parts = _split(value, example)
    if parts.query or parts.fragment:
        raise ValueError(f"contains ? or #; write an address such as {example}")
    return parts


def _split(value: str, example: str) -> SplitResult:
    """Split an address whose host and port are sound."""
    try:
        parts = urlsplit(value.strip())
        port = parts.port
    except ValueError:
        raise ValueError(_unreadable(value, example)) from None
    after = value.strip().partition("://")[2][len(parts.netloc) :]
    if "@" in after and "@" not in parts.netloc:
        raise ValueError(f"has a /, ? or # before the @: {_ESCAPE}")
    if parts.fragment or "#" in after:
        raise ValueError(f"contains #; {_ESCAPE}")
    if "," in parts.netloc.rpartition("@")[2] or ";" in value:
        raise ValueError("names several hosts; name one: the primary, or the address in front of it")
    if not parts.hostname:
        raise ValueError(f"names no host; write {example}")
    _require_host(parts.hostname)
    _require_port(port)
    return parts


def _unreadable(value: str, example: str) -> str:
    """Why an address can't be split. Its pieces may belong to a password."""
    authority = value.strip().partition("://")[2]
    if "://" in authority or "," in authority.rpartition("@")[2].partition("/")[0]:
        return "names several hosts; name one: the primary, or the pooler or address in front of it"
    if "@" in authority or "[" in authority or "]" in authority:
        return f"can't be read: {_ESCAPE}"
    return f"has a port that is not a number up to {_MAX_PORT:,}; write {example}"


def _require_scheme(value: str, example: str) -> str:
    bare = value.strip()
    scheme, separator, rest = bare.partition("://")
    spaced = " " in bare and scheme.lower() not in {"sqlite", "file"}  # a folder's name may have spaces
    if spaced or not bare.isprintable():
        raise ValueError(f"contains a space or an invisible character; write {example}")
    if not separator or not _SCHEME.fullmatch(scheme):
        raise ValueError(f"has no scheme; write {example}")
    if not rest and scheme.lower() not in {"memory", "sqlite"}:
        raise ValueError(f"ends after its scheme; write {example}")
    return scheme.lower()


def _require_host(host: str) -> None:
    if ":" in host or host.startswith("["):
        try:
            ipaddress.IPv6Address(host.strip("[]").partition("%")[0])
        except ValueError:
            raise ValueError("has a host that is neither a name nor an address; write IPv6 in brackets") from None
    elif "@" in host:
        raise ValueError(f"has two @: {_ESCAPE}")
    elif not host.isascii():
        try:
            host.encode("idna")
        except UnicodeError:
            raise ValueError("has a host that is neither a name nor an address") from None
    elif not _HOST.fullmatch(host):
        raise ValueError(f"has a host that is neither a name nor an address; else {_ESCAPE}")


def _require_port(port: int | None) -> None:
    if port is not None and not 1 <= port <= _MAX_PORT:
        raise ValueError(f"has a port that is not from 1 to {_MAX_PORT:,}")


def _require_known(options: Mapping[str, object], known: list[str] | tuple[str, ...]) -> None:
    for name in options:
        if name not in known:
            shown = quote(name)[:40]
            raise ValueError(f"has an unknown option {shown}{did_you_mean(name, known)}; remove it or mend it")


def _values(value: object) -> list[str]:
    return [value] if isinstance(value, str) else [str(one) for one in value] if isinstance(value, tuple) else []


def _number(value: object) -> int | None:
    try:
        return None if value is None else int(str(value))
    except ValueError:
        return 0
