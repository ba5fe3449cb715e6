"""OpenDocument spreadsheets put together from XML, as LibreOffice writes them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import Final
from xml.sax.saxutils import escape, quoteattr

MEDIA_TYPE: Final = "application/vnd.oasis.opendocument.spreadsheet"
_NAMES: Final = " ".join(
    f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for prefix, name in (("office", "office"), ("table", "table"), ("text", "text"), ("style", "style"))
)
EMPTY_ROWS: Final = '<table:table-row table:number-rows-repeated="1048570"><table:table-cell table:number-columns-repeated="16384"/></table:table-row>'  # noqa: E501 - as LibreOffice ends a table


def document(tables: Mapping[str, str], *, hidden: Sequence[str] = ()) -> bytes:
    """The file; each table is the XML of its rows."""
    styles = "".join(
        f'<style:style style:name="{name}" style:family="table">'
        f'<style:table-properties table:display="{display}"/></style:style>'
        for name, display in (("ta1", "true"), ("ta2", "false"))
    )
    body = "".join(
        f'<table:table table:name={quoteattr(name)} table:style-name="{"ta2" if name in hidden else "ta1"}">'
        f"<table:table-column/>{rows}{EMPTY_ROWS}</table:table>"
        for name, rows in tables.items()
    )
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-content {_NAMES}>'
        f"<office:automatic-styles>{styles}</office:automatic-styles>"
        f"<office:body><office:spreadsheet>{body}</office:spreadsheet></office:body></office:document-content>"
    )
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("mimetype", MEDIA_TYPE)
        archive.writestr("content.xml", content, zipfile.ZIP_DEFLATED)
        archive.writestr("META-INF/manifest.xml", "<manifest/>", zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def row(*cells: str | None) -> str:
    """One row; a cell is text, or XML of its own if it begins with `<table:`."""
    return f"<table:table-row>{''.join(map(_cell, cells))}</table:table-row>"


def _cell(cell: str | None) -> str:
    if cell is None:
        return "<table:table-cell/>"
    if cell.startswith("<table:"):
        return cell
    paragraphs = "".join(f"<text:p>{escape(line)}</text:p>" for line in cell.split("\n"))
    return f'<table:table-cell office:value-type="string">{paragraphs}</table:table-cell>'


def typed(kind: str, value: str, shown: str, **more: str) -> str:
    """A cell with a value and what is displayed of it."""
    name = {"date": "date-value", "boolean": "boolean-value"}.get(kind, "value")
    others = "".join(f" table:{key.replace('_', '-')}={quoteattr(text)}" for key, text in more.items())
    return f'<table:table-cell office:value-type="{kind}" office:{name}={quoteattr(value)}{others}><text:p>{escape(shown)}</text:p></table:table-cell>'  # noqa: E501
