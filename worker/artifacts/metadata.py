"""The names and values of an object's metadata, and their form in S3's headers, which hold ASCII only."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, unquote

_NAME: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_PLAIN: Final = "".join(set(string.punctuation) - {"%"})


def checked_metadata(metadata: Mapping[str, str]) -> Mapping[str, str]:
    """`metadata` itself; ValueError for a name that some store or proxy would change (capitals, underscores)."""
    for name in metadata:
        if not _NAME.fullmatch(name):
            raise ValueError(f"the metadata name {name!r} is not lowercase letters and digits joined by hyphens")
    return metadata


def to_headers(metadata: Mapping[str, str]) -> dict[str, str]:
    """Values with everything percent-encoded but printable ASCII other than space and percent."""
    return {name: quote(value, safe=_PLAIN) for name, value in metadata.items()}


def from_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The values as they were given; names come back in whatever case the store likes."""
    return {name.lower(): unquote(value) for name, value in headers.items()}
