"""HTML, of web pages and of EPUB's chapters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from selectolax.lexbor import LexborHTMLParser, LexborNode

from worker.documents.document import BlockKind, Document, DocumentBuilder
from worker.documents.readers.nesting import check_depth
from worker.documents.readers.skip_rules import (
    SCENE_BREAK_CLASSES,
    SILENT_ELEMENTS,
    SKIPPED_CLASSES,
    SKIPPED_ELEMENTS,
    SKIPPED_TYPES,
)

HEADINGS: Final = ("h1", "h2", "h3", "h4", "h5", "h6")
_BLOCK_NAMES: Final = (
    "address article aside blockquote body center dd details div dl dt fieldset figcaption figure footer form h1 h2 h3 "
    "h4 h5 h6 header hgroup hr html li main nav ol p pre section summary table tbody td tfoot th thead tr ul"
)
_BLOCKS: Final = frozenset(_BLOCK_NAMES.split())
_BLANKS: Final = re.compile(r"[ \t\n\f\r]+")
_REFERENCE: Final = re.compile(r"[\[(]?(?:\d{1,4}|[*†‡§¶]{1,3}|[a-z])[\])]?")
"""The text of a link to a note."""


@dataclass(slots=True)
class HtmlReader:
    """Adds the blocks of HTML files to a document."""

    builder: DocumentBuilder
    where: str
    """The file's name, for the list of what is skipped."""
    chapters: Mapping[str, str] = field(default_factory=dict)
    """Titles of chapters by the id of the element where they begin."""
    chapter_levels: frozenset[str] = frozenset()
    """Headings that begin a chapter."""
    _kind: BlockKind = BlockKind.PARAGRAPH
    _words: list[str] = field(default_factory=list)

    def read(self, source: str | bytes) -> None:
        """Raises DocumentError: its elements are nested too deeply."""
        check_depth(source if isinstance(source, str) else source.decode("utf-8", "replace"))
        body = LexborHTMLParser(source).body
        if body is not None:
            self._visit(body)
            self._end_block()

    def _visit(self, node: LexborNode) -> None:
        if node.is_text_node:
            self._words.append(node.text_content or "")
        elif node.is_element_node and not self._skips(node):
            self._element(node)

    def _element(self, node: LexborNode) -> None:
        tag = node.tag or ""
        is_block = tag in _BLOCKS
        if is_block:
            self._end_block()
        self._begin_chapter(node, tag)
        if tag == "hr" or (is_block and SCENE_BREAK_CLASSES & set(_values(node, "class"))):
            self.builder.block(BlockKind.SCENE_BREAK, "***")
            return
        if tag == "br":
            self._words.append("\ue000")
        outer, self._kind = self._kind, _kind(tag, self._kind)
        for child in node.iter(include_text=True):
            self._visit(child)
        if is_block:
            self._end_block()
        self._kind = outer

    def _begin_chapter(self, node: LexborNode, tag: str) -> None:
        title = self.chapters.get(node.attributes.get("id") or "", "")
        if not title and tag in self.chapter_levels:
            title = node.text(separator=" ", strip=True)
        if title:
            self._end_block()
            self.builder.chapter(title)

    def _end_block(self) -> None:
        lines = "".join(self._words).split("\ue000")
        self._words.clear()
        self.builder.block(self._kind, "\n".join(_BLANKS.sub(" ", line).strip() for line in lines))

    def _skips(self, node: LexborNode) -> bool:
        tag = node.tag or ""
        if tag in SILENT_ELEMENTS:
            return True
        what = _skipped_as(node, tag)
        if what is None and tag == "a" and _is_note_reference(node):
            what = "note reference"
        if what:
            text = node.attributes.get("alt") or node.text(separator=" ", strip=True)
            self.builder.skip(what, self.where, text)
            if tag in ("figure", "table"):
                self._captions(node)
        return bool(what)

    def _captions(self, node: LexborNode) -> None:
        for caption in node.css("caption, figcaption"):
            self._end_block()
            self._words.append(caption.text(separator=" ", strip=True))
            self._end_block()


def _kind(tag: str, outer: BlockKind) -> BlockKind:
    if tag in HEADINGS:
        return BlockKind.HEADING
    return BlockKind.LIST_ITEM if tag in ("li", "dd", "dt") else outer


def _values(node: LexborNode, name: str) -> list[str]:
    return (node.attributes.get(name) or "").lower().split()


def _skipped_as(node: LexborNode, tag: str) -> str | None:
    """Return what a node is skipped as, or None if it is read."""
    if "hidden" in node.attributes or node.attributes.get("aria-hidden") == "true":
        return "hidden text"
    for value in (*_values(node, "epub:type"), *_values(node, "role")):
        if value in SKIPPED_TYPES:
            return SKIPPED_TYPES[value]
    for value in _values(node, "class"):
        if value in SKIPPED_CLASSES:
            return SKIPPED_CLASSES[value]
    return SKIPPED_ELEMENTS.get(tag) or None


def _is_note_reference(node: LexborNode) -> bool:
    if "#" not in (node.attributes.get("href") or ""):
        return False
    parent = node.parent
    raised = node.css_first("sup") is not None or (parent is not None and parent.tag == "sup")
    return raised and bool(_REFERENCE.fullmatch(node.text(strip=True)))


def chapter_levels(sources: Iterator[str | bytes] | list[str | bytes]) -> frozenset[str]:
    """Return the highest heading that occurs more than once; a single one is the title."""
    counts = dict.fromkeys(HEADINGS, 0)
    for source in sources:
        check_depth(source if isinstance(source, str) else source.decode("utf-8", "replace"))
        parser = LexborHTMLParser(source)
        for heading in HEADINGS:
            counts[heading] += len(parser.css(heading))
    repeated = [heading for heading in HEADINGS if counts[heading] > 1]
    return frozenset(repeated[:1])


def read(source: str | bytes, where: str) -> Document:
    """Read a page. Its title and language are those it declares."""
    check_depth(source if isinstance(source, str) else source.decode("utf-8", "replace"))
    parser = LexborHTMLParser(source)
    title, root = parser.css_first("title"), parser.root
    builder = DocumentBuilder(title.text(strip=True) if title else "")
    if root is not None:
        builder.language = root.attributes.get("lang") or root.attributes.get("xml:lang") or ""
    author = parser.css_first('meta[name="author"]')
    builder.author = (author.attributes.get("content") or "") if author else ""
    HtmlReader(builder, where, chapter_levels=chapter_levels([source])).read(source)
    return builder.build()
