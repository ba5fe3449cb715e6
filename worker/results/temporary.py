"""Temporary folders for result files, in the system's folder (`TMPDIR`)."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

PREFIX: Final = "ttsq-results-"
STALE_SECONDS: Final = 24 * 3600
"""An older unused folder belongs to a process that died."""


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield a new folder, deleted at the end of the block. Also deletes those left by dead processes."""
    _sweep(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=PREFIX) as folder:
        yield Path(folder)


def _sweep(parent: Path) -> None:
    dead_before = time.time() - STALE_SECONDS
    for folder in parent.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if folder.stat().st_mtime < dead_before:
                shutil.rmtree(folder)
