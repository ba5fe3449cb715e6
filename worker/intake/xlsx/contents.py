"""The list of a workbook's sheets: names, order, parts, and visibility."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from worker.intake.xlsx.elements import Handler, walk
from worker.intake.xlsx.package import MAX_SMALL_PART_BYTES, Package, unreadable

ROOT: Final = "_rels/.rels"
WORKBOOK: Final = "xl/workbook.xml"
MAX_SHEETS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Sheet:
    name: str
    part: str | None
    """The part with its rows; None for charts and macro sheets."""
    hidden: bool


@dataclass(frozen=True, slots=True)
class Contents:
    sheets: tuple[Sheet, ...]
    from_1904: bool
    """Whether dates count from 1904, as on old Macs."""


def contents(package: Package) -> Contents:
    """Read the list of sheets. Raises WorkbookError if there is none."""
    where = next((part for kind, part in _links(package, "").values() if kind == "officeDocument"), WORKBOOK)
    book = _Book()
    _read(package, where, book)
    links = _links(package, where)
    if len(book.sheets) > MAX_SHEETS:
        raise unreadable("too many sheets")
    sheets = []
    for name, link, hidden in book.sheets:
        kind, part = links.get(link, ("", ""))
        sheets.append(Sheet(name, part if kind == "worksheet" and part in package else None, hidden))
    return Contents(tuple(sheets), book.from_1904)


def _read(package: Package, part: str, handler: Handler) -> None:
    with package.open(part, MAX_SMALL_PART_BYTES) as stream:
        for _ in walk(stream, handler):
            pass


def _links(package: Package, part: str) -> dict[str, tuple[str, str]]:
    """A part's relationships: type and target by id."""
    folder, name = posixpath.split(part)
    page = posixpath.join(folder, "_rels", f"{name}.rels")
    if page not in package:
        return {}
    found = _Links()
    _read(package, page, found)
    return {
        link: (
            kind,
            target.lstrip("/") if target.startswith("/") else posixpath.normpath(posixpath.join(folder, target)),
        )
        for link, kind, target in found.links
    }


class _Links:
    def __init__(self) -> None:
        self.links: list[tuple[str, str, str]] = []

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "Relationship":
            kind = attributes.get("Type", "").rpartition("/")[2]
            self.links.append((attributes.get("Id", ""), kind, attributes.get("Target", "")))

    def end(self, name: str) -> None: ...

    def characters(self, text: str) -> None: ...


class _Book:
    def __init__(self) -> None:
        self.sheets: list[tuple[str, str, bool]] = []
        self.from_1904 = False

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "sheet":
            link = next((value for key, value in attributes.items() if key.rpartition(":")[2] == "id"), "")
            hidden = attributes.get("state", "visible") != "visible"
            self.sheets.append((attributes.get("name", ""), link, hidden))
        elif name == "workbookPr":
            self.from_1904 = attributes.get("date1904", "0") in {"1", "true"}

    def end(self, name: str) -> None: ...

    def characters(self, text: str) -> None: ...
