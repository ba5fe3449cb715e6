"""Markdown (CommonMark with tables), by way of its own tokens: no HTML is rendered."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

from worker.documents.document import BlockKind, Document, DocumentBuilder

_FRONT_MATTER: Final = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_FIELD: Final = re.compile(
    r"^(title|author|lang|language):[ \t]*[\"']?(.*?)[\"']?[ \t]*$", re.MULTILINE | re.IGNORECASE
)
_NOTE_REFERENCE: Final = re.compile(r"\[\^[^\]\s]+\](?!:)")
_NOTE: Final = re.compile(r"^\[\^[^\]\s]+\]:.*(?:\n(?:[ ]{4}|\t).*)*", re.MULTILINE)
_COMMENT: Final = re.compile(r"<!--.*?-->", re.DOTALL)


def read(source: str) -> Document:
    """Find the structure of a Markdown text. YAML front matter may name title, author and language."""
    builder = DocumentBuilder()
    source = _FRONT_MATTER.sub(lambda match: _describe(match[1], builder), source.replace("\r\n", "\n"), count=1)
    for pattern, what in ((_COMMENT, "comment"), (_NOTE, "note"), (_NOTE_REFERENCE, "note reference")):
        source = _without(pattern, what, source, builder)
    tokens = MarkdownIt("commonmark").enable("table").parse(source)
    _blocks(tokens, builder, _chapter_level(tokens))
    return builder.build()


def _describe(fields: str, builder: DocumentBuilder) -> str:
    for name, value in _FIELD.findall(fields):
        setattr(builder, "language" if name.lower().startswith("lang") else name.lower(), value)
    return ""


def _without(pattern: re.Pattern[str], what: str, source: str, builder: DocumentBuilder) -> str:
    for match in pattern.finditer(source):
        builder.skip(what, f"line {source.count(chr(10), 0, match.start()) + 1}", match[0])
    return pattern.sub("", source)


def _chapter_level(tokens: Sequence[Token]) -> str:
    """Return the highest heading that occurs more than once; a single one is the title."""
    counts = Counter(token.tag for token in tokens if token.type == "heading_open")
    return min((tag for tag, count in counts.items() if count > 1), default="")


def _blocks(tokens: Sequence[Token], builder: DocumentBuilder, chapter: str) -> None:
    kind, in_items, in_table = BlockKind.PARAGRAPH, 0, 0
    for index, token in enumerate(tokens):
        line = f"line {token.map[0] + 1}" if token.map else ""
        in_items += token.nesting if token.type in ("list_item_open", "list_item_close") else 0
        in_table += token.nesting if token.type in ("table_open", "table_close") else 0
        if token.type == "table_open":
            builder.skip("table", line)
        elif token.type == "hr":
            builder.block(BlockKind.SCENE_BREAK, "***")
        elif token.type in ("fence", "code_block", "html_block"):
            builder.skip("HTML" if token.type == "html_block" else "code", line, token.content)
        elif token.type in ("heading_open", "paragraph_open"):
            kind = _kind(token, in_items=bool(in_items))
        elif token.type == "inline" and not in_table:
            text = "".join(_inline(token.children or (), builder, line))
            if kind is BlockKind.HEADING and tokens[index - 1].tag == chapter:
                builder.chapter(text)
            builder.block(kind, text)


def _kind(token: Token, *, in_items: bool) -> BlockKind:
    if token.type == "heading_open":
        return BlockKind.HEADING
    return BlockKind.LIST_ITEM if in_items else BlockKind.PARAGRAPH


def _inline(children: Sequence[Token], builder: DocumentBuilder, where: str) -> Iterator[str]:
    for child in children:
        if child.type in ("text", "code_inline"):
            yield child.content
        elif child.type == "softbreak":
            yield " "
        elif child.type == "hardbreak":
            yield "\n"
        elif child.type == "image":
            builder.skip("image", where, child.content)
