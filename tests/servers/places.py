"""Where servers may keep their folders: which temporary folders others can enter, and which are in memory."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Final

MEMORY: Final = Path("/dev/shm")
MEMORY_FREE_BYTES: Final = 1 << 30
"""Free space that makes memory roomy enough for a database; containers often have 64 MiB of it."""


TESTS_FREE_BYTES: Final = 6 << 30


def is_root() -> bool:
    """Whether this process runs as root."""
    return os.geteuid() == 0


def shared_folder() -> Path:
    """A temporary folder that the user a root process drops to can reach; root's own may be closed to others."""
    candidates = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]
    return next((folder for folder in candidates if not is_root() or _open_to_all(folder)), candidates[0])


def quick_folder() -> Path:
    """As `shared_folder`, but in memory where there is enough: making the 300 files of a database takes a tenth."""
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= MEMORY_FREE_BYTES
    return MEMORY if roomy and os.access(MEMORY, os.W_OK | os.X_OK) else shared_folder()


def memory_for_tests() -> Path | None:
    """The folder in memory, if programs may run there and there is room for all that the tests write."""
    if not (MEMORY.is_dir() and os.access(MEMORY, os.W_OK | os.X_OK)):
        return None
    is_closed = os.statvfs(MEMORY).f_flag & getattr(os, "ST_NOEXEC", 0)
    return None if is_closed or shutil.disk_usage(MEMORY).free < TESTS_FREE_BYTES else MEMORY


def _open_to_all(folder: Path) -> bool:
    resolved = folder.resolve()
    return all(part.exists() and part.stat().st_mode & stat.S_IXOTH for part in (resolved, *resolved.parents))
