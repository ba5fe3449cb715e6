"""Removes secrets from text before it is stored, logged or shown."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Final

REDACTED: Final = "***"

_KEY: Final = re.compile(r"SG_[0-9a-f]{16}", re.IGNORECASE)
"""The vendor's key format."""
_PASSWORD: Final = re.compile(r"(://[^\s/?#@:\"']*:)[^\s/?#@\"']+(?=@)")
"""In an address."""


def redact(text: str, *secrets: str) -> str:
    """Mask the given secrets, passwords in addresses, and everything that matches the vendor's key format."""
    return redact_all(text, longest_first(secrets))


def longest_first(secrets: Collection[str]) -> list[str]:
    """For `redact_all`: a secret may be a part of another one."""
    return sorted(filter(None, secrets), key=len, reverse=True)


def redact_all(text: str, secrets: Sequence[str]) -> str:
    """As `redact`, with secrets from `longest_first`."""
    for secret in secrets:
        if secret in text:
            text = text.replace(secret, REDACTED)
    if "://" in text:
        text = _PASSWORD.sub(rf"\1{REDACTED}", text)
    # Most texts have no underscore, and a search costs more than looking for one.
    return _KEY.sub(REDACTED, text) if "_" in text else text
