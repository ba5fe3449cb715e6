"""Whose audio may be shared: what every fingerprint begins with. Pure."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit, urlunsplit

OFFICIAL_BASE_URL: Final = "https://api.segmind.com"
REHEARSAL: Final = "rehearsal"
"""Stands for the API's address in a rehearsal: the emulator's own changes from run to run."""
DEFAULT_TENANT: Final = "default"
_PORTS: Final = {"http": 80, "https": 443}
_VERSIONS: Final = frozenset({"/v1", "/v2"})


def content_origin(origin: str, tenant: str, *, shared: bool) -> str:
    """What the fingerprints of a tenant begin with; `shared`: all tenants have those of the default one."""
    return origin if shared or tenant == DEFAULT_TENANT else f"{origin} {tenant}"


def canonical_base_url(url: str) -> str:
    """One spelling for one API: host in lower case, no default port, no trailing slash.

    A version behind the official host is dropped, because the client adds it. What is no URL is returned as it is.
    """
    bare = url.rstrip("/")
    try:
        parts = urlsplit(bare)
        host, port = parts.hostname, parts.port
    except ValueError:
        return bare
    if not host or "@" in parts.netloc:
        return bare
    scheme = parts.scheme.lower()
    name = f"[{host}]" if ":" in host else host
    netloc = name if port in {None, _PORTS.get(scheme)} else f"{name}:{port}"
    made = urlunsplit((scheme, netloc, parts.path, parts.query, parts.fragment))
    return OFFICIAL_BASE_URL if made.removeprefix(OFFICIAL_BASE_URL) in _VERSIONS else made
