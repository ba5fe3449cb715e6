"""Workbooks put together from XML, for what no library writes: saved values of formulas, charts, broken rows."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape, quoteattr

MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
LINKS: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006/relationships"
DATE_STYLE: Final = 1


@dataclass(frozen=True, slots=True)
class Formula:
    """A cell with a formula; `saved` is its value, or None where none was saved."""

    saved: str | None = None
    error: bool = False


@dataclass(frozen=True, slots=True)
class Date:
    """A number that is shown as a date."""

    number: float


Cell = str | int | float | bool | Formula | Date | None


@dataclass(frozen=True, slots=True)
class Tab:
    """One sheet: rows of cells, or XML as it is to stand in the file."""

    rows: Sequence[Sequence[Cell]] = ()
    xml: str | None = None
    hidden: bool = False
    merged: Sequence[str] = ()
    chart: bool = False


def workbook(tabs: Mapping[str, Tab]) -> bytes:
    """The file."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_rels/.rels", _links([("rId1", "officeDocument", "xl/workbook.xml")]))
        sheets, links = [], []
        for number, (name, tab) in enumerate(tabs.items(), 1):
            state = ' state="hidden"' if tab.hidden else ""
            sheets.append(f'<sheet name={quoteattr(name)} sheetId="{number}" r:id="rId{number}"{state}/>')
            kind = "chartsheet" if tab.chart else "worksheet"
            links.append((f"rId{number}", kind, f"{kind}s/sheet{number}.xml"))
            archive.writestr(f"xl/{kind}s/sheet{number}.xml", tab.xml or _sheet(tab))
        book = f'<workbook xmlns="{MAIN}" xmlns:r="{LINKS}"><sheets>{"".join(sheets)}</sheets></workbook>'
        archive.writestr("xl/workbook.xml", book)
        archive.writestr("xl/_rels/workbook.xml.rels", _links(links))
        archive.writestr(
            "xl/styles.xml",
            f'<styleSheet xmlns="{MAIN}"><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="10"/></cellXfs>'
            "</styleSheet>",
        )
    return stream.getvalue()


def rows_xml(rows: str) -> str:
    """A sheet around the XML of its rows."""
    return f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>'


def _links(links: Sequence[tuple[str, str, str]]) -> str:
    inner = "".join(
        f'<Relationship Id="{link}" Type="{LINKS}/{kind}" Target="{target}"/>' for link, kind, target in links
    )
    return f'<Relationships xmlns="{PACKAGE}">{inner}</Relationships>'


def _sheet(tab: Tab) -> str:
    if tab.chart:
        return f'<chartsheet xmlns="{MAIN}"/>'
    rows = "".join(_row(number, cells) for number, cells in enumerate(tab.rows, 1))
    merges = "".join(f'<mergeCell ref="{reference}"/>' for reference in tab.merged)
    merges = f"<mergeCells>{merges}</mergeCells>" if merges else ""
    return f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData>{merges}</worksheet>'


def _row(number: int, cells: Sequence[Cell]) -> str:
    inner = "".join(_cell(f"{chr(65 + index)}{number}", cell) for index, cell in enumerate(cells))
    return f'<row r="{number}">{inner}</row>'


def _cell(place: str, cell: Cell) -> str:  # noqa: PLR0911 - one for each kind of cell
    match cell:
        case None:
            return f'<c r="{place}"/>'
        case Formula(saved=None):
            return f'<c r="{place}"><f>A1</f></c>'
        case Formula(saved=saved, error=error):
            return f'<c r="{place}" t="{"e" if error else "str"}"><f>A1</f><v>{escape(str(saved))}</v></c>'
        case Date(number=number):
            return f'<c r="{place}" s="{DATE_STYLE}"><v>{number}</v></c>'
        case bool():
            return f'<c r="{place}" t="b"><v>{int(cell)}</v></c>'
        case int() | float():
            return f'<c r="{place}"><v>{cell}</v></c>'
        case _:
            return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{escape(cell)}</t></is></c>'
