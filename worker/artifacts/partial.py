"""A file on its way: written under a passing name, and seen under its own only when it is whole."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

PARTIAL_SUFFIX: Final = ".part"


@contextmanager
def arriving(folder: Path) -> Iterator[Path]:
    """A fresh path in `folder` to write to; the block renames the file away, and what is left of it is removed."""
    path = folder / f".{secrets.token_hex(8)}{PARTIAL_SUFFIX}"
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """64 hex digits, computed in blocks."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
