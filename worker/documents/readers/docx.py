"""Word documents (.docx): paragraphs by their styles, without notes, tables and deleted text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any, Final

import docx
from docx.oxml.ns import qn
from docx.text.paragraph import Paragraph

from worker.documents.document import BlockKind, Document, DocumentBuilder
from worker.documents.errors import DocumentError
from worker.documents.readers.archive import DAMAGE, Archive

_DELETED: Final = (qn("w:del"), qn("w:moveFrom"))
_TEXT: Final = qn("w:t")
_BREAKS: Final = {qn("w:tab"): " ", qn("w:br"): "\n", qn("w:cr"): "\n", qn("w:noBreakHyphen"): "-"}
_NOTES: Final = {qn("w:footnoteReference"): "footnote", qn("w:endnoteReference"): "endnote"}
_HEADING: Final = "heading "
"""Names of styles are English in the file, whatever the language of the program."""


def read(stream: IO[bytes]) -> Document:
    """Read a document. Raises DocumentError: It is damaged, protected, or larger than the limits."""
    with Archive(stream, "Word document") as archive:
        if "word/document.xml" not in archive.names:
            raise DocumentError("the file is not a Word document: it lacks 'word/document.xml'")
        archive.check()
    stream.seek(0)
    try:
        source = docx.Document(stream)
    except (*DAMAGE, LookupError, SyntaxError) as error:  # lxml's errors are syntax errors
        raise DocumentError(f"the Word document is damaged: {error}", "open and save it again") from None
    core = source.core_properties
    builder = DocumentBuilder(core.title or "", core.author or "", core.language or "")
    _read_body(source, builder)
    return builder.build()


def _read_body(source: Any, builder: DocumentBuilder) -> None:  # noqa: ANN401 - its class is a function's name too
    items = list(source.iter_inner_content())
    chapter = _chapter_style([_style(item) for item in items if isinstance(item, Paragraph)])
    for number, item in enumerate(items, 1):
        where = f"block {number}"
        if not isinstance(item, Paragraph):
            builder.skip("table", where, " ".join(cell.text for row in item.rows for cell in row.cells))
            continue
        text = "".join(_words(item._p, builder, where))  # noqa: SLF001 - its public text lacks inserted words
        style = _style(item)
        if style == chapter and text.strip():
            builder.chapter(text)
        builder.block(_kind(style), text)


def _style(paragraph: Paragraph) -> str:
    name = paragraph.style.name if paragraph.style is not None else None
    return (name or "").lower()


def _chapter_style(styles: list[str]) -> str:
    """Return the highest heading that occurs more than once; a single one is the title."""
    headings = [style for style in styles if style.startswith(_HEADING)]
    return min((style for style in headings if headings.count(style) > 1), default="")


def _kind(style: str) -> BlockKind:
    if style.startswith(_HEADING) or style in ("title", "subtitle"):
        return BlockKind.HEADING
    return BlockKind.LIST_ITEM if style.startswith("list") else BlockKind.PARAGRAPH


def _words(node: Any, builder: DocumentBuilder, where: str) -> Iterator[str]:  # noqa: ANN401 - an lxml element
    for child in node:
        if child.tag in _DELETED:
            builder.skip("deleted text", where)
        elif child.tag == _TEXT:
            yield child.text or ""
        elif child.tag in _BREAKS:
            yield _BREAKS[child.tag]
        elif child.tag in _NOTES:
            builder.skip(_NOTES[child.tag], where)
        else:
            yield from _words(child, builder, where)
