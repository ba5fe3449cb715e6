"""What a folder held before: a second name for every content, so that a take outlives the file that showed it.

A sheet whose lines have moved writes other takes under the same file names. The bought ones are still here then, under
their checksums. A second name costs no space while the file itself stands; where a file system has none, nothing is
remembered and the take is bought again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from worker.artifacts.keys import OWN_FOLDER

KEPT_SECONDS: Final = 30 * 24 * 3600
"""How long a content is kept that no visible file shows any more."""


def remember(root: Path, shown: Path, sha256: str) -> None:
    """Give the content of a visible file its second name."""
    name = _folder(root) / sha256
    with suppress(OSError):
        name.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            os.link(shown, name)


def keep(root: Path, arrived: Path, sha256: str) -> None:
    """Hold a content that has no visible file, because a later job's has its name. `arrived` is used up."""
    name = _folder(root) / sha256
    name.parent.mkdir(parents=True, exist_ok=True)
    arrived.replace(name)


def remembered(source: Path, sha256: str | None) -> Iterator[Path]:
    """Where the folders around `source` may still have this content. It must be checked: someone may have edited it."""
    if sha256 is None:
        return
    for parent in source.parents:
        if (name := _folder(parent) / sha256).is_file():
            yield name


def forget(root: Path) -> None:
    """Drop contents that no visible file has shown for a month."""
    before = time.time() - KEPT_SECONDS
    for name in _folder(root).glob("*"):
        with suppress(FileNotFoundError):
            state = name.stat()
            if state.st_nlink == 1 and state.st_ctime < before:
                name.unlink()


def forget_content(root: Path, sha256: str) -> None:
    """Drop a content that is to be gone: a deleted file must not outlive its deletion."""
    (_folder(root) / sha256).unlink(missing_ok=True)


def _folder(root: Path) -> Path:
    return root / OWN_FOLDER / "contents"
