"""Giving memory back to the system: what a take needs for a moment must not stay with the thread that measured it.

The C library keeps what a thread has freed for that thread's next wish, in sizes that it learns from large wishes. With
a hundred threads that measure takes by turns, each would keep the memory of its largest one.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Final

MMAP_THRESHOLD: Final = -3
"""From malloc.h: blocks from this size on come from the system and go back to it. Once set, it learns no other."""
LARGE_BYTES: Final = 1 << 20


def give_back_large_blocks() -> None:
    """For this process, where the C library is GNU's; others do so anyway."""
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(MMAP_THRESHOLD, LARGE_BYTES)
