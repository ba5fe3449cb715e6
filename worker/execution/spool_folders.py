"""The folders of workers that share one spool: each worker writes to its own, and takes over those of dead ones.

A lock that the kernel releases with the process separates dead from suspended ones. Nothing in the folder of a living
worker is moved or deleted by another; its answers are copied, and a copy counts only if its checksum is right.
Limitation: locks don't reach other hosts over most network file systems, so hosts need spools of their own.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

import structlog

from worker.environment import private_files

try:
    import fcntl
except ImportError:  # only POSIX has it
    fcntl = None  # type: ignore[assignment]

FOLDER: Final = ".worker"
"""Suffix of a worker's folder."""
LOCK: Final = "lock"
UNFINISHED: Final = (".part",)
"""Suffixes of files that are of no use without their process."""
NO_LOCK_SECONDS: Final = 6 * 3600
"""Age after which a folder without a lock file counts as abandoned."""

log = structlog.get_logger("ttsq.execution")


@dataclass(frozen=True, slots=True)
class SpoolFolder:
    """One worker's folder below the shared one, locked until the process ends."""

    shared: Path
    own: Path
    _lock: int
    """Descriptor of the lock file."""

    @classmethod
    def claim(cls, shared: Path, worker_id: UUID) -> SpoolFolder | None:
        """Make this worker's folder. None without file locks, where workers must not share a spool. Raises OSError."""
        if fcntl is None:
            return None
        private_files.make_folder(shared, is_own=True)
        fresh, own = shared / f"{worker_id}.new", shared / f"{worker_id}{FOLDER}"
        private_files.make_folder(fresh)
        descriptor = private_files.emptied(fresh / LOCK)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        fresh.rename(own)  # others see it once it is locked
        return cls(shared, own, descriptor)

    def adopt(self) -> int:
        """Take over the answers of dead workers. Returns how many files were moved."""
        return sum(self._adopt(folder) for folder in self._others())

    def adopt_if_dead(self, folder: Path) -> bool:
        """Take over this folder unless its worker lives."""
        with _held(folder) as is_dead:
            if is_dead:
                self._take_over(folder)
            return is_dead

    def holding(self, name: str) -> list[Path]:
        """Other workers' folders with files of this pattern."""
        return [folder for folder in self._others() if any(folder.glob(name))]

    def close(self) -> None:
        """Remove the folder if nothing is left in it, and release it otherwise."""
        with suppress(OSError):
            if {path.name for path in self.own.iterdir()} <= {LOCK}:
                shutil.rmtree(self.own, ignore_errors=True)
        with suppress(OSError):
            os.close(self._lock)

    def _others(self) -> Iterator[Path]:
        return (folder for folder in sorted(self.shared.glob(f"*{FOLDER}")) if folder != self.own)

    def _adopt(self, folder: Path) -> int:
        with _held(folder) as is_dead:
            return self._take_over(folder) if is_dead else 0

    def _take_over(self, folder: Path) -> int:
        moved = 0
        for path in folder.iterdir():
            with suppress(FileNotFoundError):
                if path.name.endswith(UNFINISHED):
                    path.unlink()
                elif path.name != LOCK:
                    path.rename(self.own / path.name)
                    moved += 1
        shutil.rmtree(folder, ignore_errors=True)
        if moved:
            log.info("spool_adopted", files=moved, of=folder.name.removesuffix(FOLDER))
        return moved


@contextmanager
def _held(folder: Path) -> Iterator[bool]:
    """Hold a folder's lock during the block. False if its worker lives, or another one is taking it over."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        yield _is_abandoned(folder)
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield folder.exists()
    finally:
        os.close(descriptor)


def _is_abandoned(folder: Path) -> bool:
    with suppress(OSError):
        return folder.is_dir() and time.time() - folder.stat().st_mtime > NO_LOCK_SECONDS
    return False
