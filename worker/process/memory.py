"""Process-wide memory settings of malloc and the garbage collector.

glibc keeps memory that a thread has freed for that thread, in sizes learned from its largest requests. With a hundred
threads that measure takes in turn, each would retain the memory of its largest take.
"""

from __future__ import annotations

import gc
import sys
from typing import Final

MMAP_THRESHOLD: Final = -3
"""From malloc.h: larger blocks are mapped and unmapped. Setting it disables glibc's dynamic threshold."""
LARGE_BYTES: Final = 1 << 20
GARBAGE_THRESHOLDS: Final = (10_000, 20, 20)
"""Python's defaults are 700, 10, 10."""


def pause_collection() -> None:
    """Collect nothing until `freeze_startup_objects`: importing would run the collector again and again for nothing."""
    gc.disable()


def release_large_blocks() -> None:
    """Return large freed blocks to the system. glibc only; other C libraries do so by default."""
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - imported only in workers

        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(MMAP_THRESHOLD, LARGE_BYTES)


def freeze_startup_objects() -> None:
    """Exclude modules and other startup objects from garbage collection, and begin it.

    A collection stops every thread, and the last one, at exit, would take half a second.
    """
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    gc.enable()
