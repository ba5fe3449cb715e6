"""Remembers on which line each of millions of names came, in twelve bytes per slot. The names are not kept.

Limitation: two names with the same 64-bit hash count as equal. The hash is salted per process; one in forty million
inputs of a million names is rejected for it.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Final

FIRST_SLOTS: Final = 1_024


class NameIndex:
    """An open-addressing hash table, at most half full."""

    def __init__(self, expected: int = 0) -> None:
        """`expected` is the initial capacity in names."""
        self._resize(max(FIRST_SLOTS, 1 << (2 * expected).bit_length()))
        self._used = 0

    def __len__(self) -> int:
        return self._used

    def line_of(self, name: str) -> int | None:
        slot = self._slot(hash(name) or 1)
        return self._lines[slot] if self._hashes[slot] else None

    def put(self, name: str, line: int) -> int | None:
        """Record a name and return 0, or return the line on which it came first."""
        key = hash(name) or 1
        slot = self._slot(key)
        if self._hashes[slot]:
            return self._lines[slot]
        self._hashes[slot], self._lines[slot] = key, line
        self._used += 1
        if 2 * self._used > self._mask:
            self._grow()
        return None

    def put_all(self, names: Sequence[str], lines: Sequence[int]) -> bool:
        """Record all names and return True, or none if any is a duplicate."""
        while 2 * (self._used + len(names)) > self._mask:
            self._grow()
        hashes, kept, mask, taken = self._hashes, self._lines, self._mask, list[int]()
        # A million go through here: the look for the slot stands here once more, for the call would cost as much.
        for key, line in zip(map(hash, names), lines, strict=True):
            slot = (key := key or 1) & mask
            while there := hashes[slot]:
                if there == key:
                    for put in taken:
                        hashes[put] = 0
                    return False
                slot = (slot + 1) & mask
            hashes[slot], kept[slot] = key, line
            taken.append(slot)
        self._used += len(names)
        return True

    def _slot(self, key: int) -> int:
        """The slot of this hash, or the empty slot for it."""
        hashes, mask = self._hashes, self._mask
        slot = key & mask
        while (there := hashes[slot]) and there != key:
            slot = (slot + 1) & mask
        return slot

    def _grow(self) -> None:
        hashes, lines = self._hashes, self._lines
        self._resize(2 * len(hashes))
        for key, line in zip(hashes, lines, strict=True):
            if key:
                slot = self._slot(key)
                self._hashes[slot], self._lines[slot] = key, line

    def _resize(self, slots: int) -> None:
        self._mask = slots - 1
        self._hashes = array("q", bytes(8 * slots))
        self._lines = array("I", bytes(4 * slots))
