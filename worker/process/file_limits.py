"""The limit on open files: each waiting call holds one descriptor."""

from __future__ import annotations

import sys
from contextlib import suppress


def raise_open_file_limit() -> int:
    """Raise the soft limit to the hard limit and return it. Windows has no limit."""
    try:
        import resource  # noqa: PLC0415  # only POSIX has it
    except ImportError:
        return sys.maxsize
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    found, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if found == resource.RLIM_INFINITY else found
