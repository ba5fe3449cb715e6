"""How many files and sockets this process may have open: each call that waits is one of them."""

from __future__ import annotations

import sys
from contextlib import suppress


def raise_open_file_limit() -> int:
    """Raise this process's own limit as far as the system lets it; gives the limit. Windows has none."""
    try:
        import resource  # noqa: PLC0415  # only POSIX has it
    except ImportError:
        return sys.maxsize
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    found, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if found == resource.RLIM_INFINITY else found
