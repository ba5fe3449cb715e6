"""Removes secrets from text before it is stored, logged or shown."""

from __future__ import annotations

import re
from typing import Final

REDACTED: Final = "***"

_KEY: Final = re.compile(r"SG_[0-9a-f]{16}", re.IGNORECASE)
"""The vendor's key format."""
_PASSWORD: Final = re.compile(r"(://[^\s/?#@:\"']*:)[^\s/?#@\"']+(?=@)")
"""In an address."""


def redact(text: str, *secrets: str) -> str:
    """Mask the given secrets, passwords in addresses, and everything that matches the vendor's key format."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, REDACTED)
    if "://" in text:
        text = _PASSWORD.sub(rf"\1{REDACTED}", text)
    return _KEY.sub(REDACTED, text)
