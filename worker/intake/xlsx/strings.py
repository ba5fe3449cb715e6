"""The shared strings of a workbook."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from worker.intake.xlsx.elements import walk
from worker.intake.xlsx.package import MAX_STRINGS_BYTES, Package, unreadable

PART: Final = "xl/sharedStrings.xml"
MAX_STRINGS: Final = 5_000_000

_ESCAPED: Final = re.compile(r"_x([0-9A-Fa-f]{4})_")
"""Escapes for characters that XML cannot hold."""


def shared_strings(package: Package) -> list[str]:
    """Read the table in order; empty if the workbook has none."""
    if PART not in package:
        return []
    table = _Table()
    with package.open(PART, MAX_STRINGS_BYTES) as stream:
        for _ in walk(stream, table):
            pass
    return table.strings


def unescaped(text: str) -> str:
    """Decode escapes and normalise line breaks to line feeds."""
    if "_x" in text:
        text = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


class _Table:
    def __init__(self) -> None:
        self.strings: list[str] = []
        self._pieces: list[str] = []
        self._takes = False
        self._phonetic = 0

    def start(self, name: str, _: Mapping[str, str]) -> None:
        if name == "si":
            self._pieces.clear()
            if len(self.strings) >= MAX_STRINGS:
                raise unreadable("too many texts")
        elif name == "rPh":  # how a text is read aloud, in small letters above it
            self._phonetic += 1
        self._takes = name == "t" and not self._phonetic

    def end(self, name: str) -> None:
        self._takes = False
        if name == "si":
            self.strings.append(unescaped("".join(self._pieces)))
        elif name == "rPh":
            self._phonetic -= 1

    def characters(self, text: str) -> None:
        if self._takes:
            self._pieces.append(text)
