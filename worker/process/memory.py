"""What a process keeps and gives back: memory of takes that are over, and the search for garbage among what stays.

What a take needs for a moment must not stay with the thread that measured it. The C library keeps what a thread has
freed for that thread's next wish, in sizes that it learns from large wishes. With a hundred threads that measure takes
by turns, each would keep the memory of its largest one.
"""

from __future__ import annotations

import gc
import sys
from typing import Final

MMAP_THRESHOLD: Final = -3
"""From malloc.h: blocks from this size on come from the system and go back to it. Once set, it learns no other."""
LARGE_BYTES: Final = 1 << 20
GARBAGE_THRESHOLDS: Final = (10_000, 20, 20)
"""Objects made before the youngest are looked through, and how often the older ones are. Python's: 700, 10, 10."""


def release_large_blocks() -> None:
    """For this process, where the C library is GNU's; others do so anyway."""
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - commands that make no takes needn't wait for it

        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(MMAP_THRESHOLD, LARGE_BYTES)


def freeze_startup_objects() -> None:
    """Leave what is there now out of all later searches for garbage: modules and statements, which stay to the end.

    A search stops every thread. On the way out the last one would take half a second, for what the system clears away.
    """
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)
