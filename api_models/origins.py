"""Which jobs may share audio: the prefix of every fingerprint. Pure."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit, urlunsplit

OFFICIAL_BASE_URL: Final = "https://api.segmind.com"
REHEARSAL: Final = "rehearsal"
"""Replaces the API's address in a rehearsal: the emulator's address changes from run to run."""
DEFAULT_TENANT: Final = "default"
_PORTS: Final = {"http": 80, "https": 443}
EMULATOR_KEY: Final = "SG_0123456789abcdef"
"""The emulator's default key, which is public."""
_VERSIONS: Final = frozenset({"/v1", "/v2"})


def content_origin(origin: str, tenant: str, *, shared: bool) -> str:
    """Return a tenant's fingerprint prefix; with `shared`, all tenants use the default one."""
    return origin if shared or tenant == DEFAULT_TENANT else f"{origin} {tenant}"


def canonical_base_url(url: str) -> str:
    """Normalise an API address: lower-case host, no default port, no trailing slash.

    A version after the official host, as the vendor's SDK writes it, is dropped, because the client adds it. A proxy's
    own path may end so. Anything but a URL is returned unchanged.
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
