"""What a client would rather have: to wait (RFC 7240), and audio instead of words about it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

MOST_WAIT_SECONDS: Final = 60
WAIT_HEADER: Final[dict[str, Any]] = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "description": f"`wait=N` answers when the job ends, or after N seconds, {MOST_WAIT_SECONDS} at most.",
    "schema": {"type": "string"},
    "example": "wait=10",
}
_WAIT: Final = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?([0-9]{1,6})\"?\s*(?=$|[,;])", re.IGNORECASE)


def wait_seconds(headers: Mapping[str, str]) -> float:
    """For how long the client would wait; 0 where it says nothing of it, or nothing that can be understood."""
    found = _WAIT.search(headers.get("prefer", ""))
    return float(min(int(found[1]), MOST_WAIT_SECONDS)) if found else 0.0


def prefers_audio(headers: Mapping[str, str]) -> bool:
    """Whether the client would rather have the audio itself."""
    first = headers.get("accept", "").split(",")[0].partition(";")[0].strip().lower()
    return first.startswith("audio/")
