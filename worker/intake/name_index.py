"""Which of millions of names came before, and on which line, in twelve bytes a slot. The names themselves aren't kept.

Its weakness: two different names are taken for one where their 64-bit hashes are equal. The hashes are salted anew in
each process; of inputs of a million names, one in forty million would be refused for it.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Final

FIRST_SLOTS: Final = 1_024


class NameIndex:
    """A table of hashes with open addressing, never more than half full."""

    def __init__(self, expected: int = 0) -> None:
        """Nothing has come yet; there is room for so many as are `expected`."""
        self._resize(max(FIRST_SLOTS, 1 << (2 * expected).bit_length()))
        self._used = 0

    def __len__(self) -> int:
        return self._used

    def line_of(self, name: str) -> int | None:
        """The line that this name came on first."""
        slot = self._slot(hash(name) or 1)
        return self._lines[slot] if self._hashes[slot] else None

    def put(self, name: str, line: int) -> int | None:
        """Note a name, unless it came before: then the line that it came on first."""
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
        """Note all of these names; or none of them, if one came before or comes twice."""
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
        """Where this hash stands, or the empty slot where it belongs."""
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
