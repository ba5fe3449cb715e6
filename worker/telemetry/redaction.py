"""Takes secrets out of text before it is stored, logged or shown."""

from __future__ import annotations

import re
from typing import Final

REDACTED: Final = "***"

_KEY: Final = re.compile(r"SG_[0-9a-f]{16}", re.IGNORECASE)
"""How the vendor's keys look."""


def redact(text: str, *secrets: str) -> str:
    """`text` without anything that looks like an API key, and without the given secrets."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, REDACTED)
    return _KEY.sub(REDACTED, text)
