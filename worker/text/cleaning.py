"""Texts without HTML, Markdown, entities or SSML: the words alone."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping
from typing import Final

from api_models.registry import VOICES
from api_models.wording import Clean
from worker.text import ssml
from worker.text.errors import TextError
from worker.text.marked import Marked

_SSML: Final = re.compile(r"\s*(?:<\?xml[^>]*>\s*)?<speak[\s>]|<break\s*(?:time|strength|/)", re.IGNORECASE)
_HTML: Final = re.compile(
    r"</?(?:a|abbr|b|blockquote|br|div|em|font|h[1-6]|hr|i|img|li|ol|p|pre|small|span|strong|sub|sup|table|td|tr|u|ul)"
    r"(?:\s[^<>]*)?/?>|&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});",
    re.IGNORECASE,
)
_MARKDOWN: Final = re.compile(
    r"^ {0,3}(?:#{1,6} |[-*+] |\d{1,9}[.)] |> |```)|\*\*[^\s*].*?\*\*|(?<!\w)_[^\s_][^_\n]*_(?!\w)"
    r"|\[[^\[\]\n]{1,300}\]\([^()\s]{1,2000}\)|`[^`\n]+`",
    re.MULTILINE,
)
_COMMENT: Final = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_DROPPED: Final = re.compile(r"<(script|style|template|noscript)\b[^<>]*>.*?(?:</\1\s*>|\Z)", re.DOTALL | re.IGNORECASE)
_ENDS_BLOCK: Final = re.compile(
    r"<(?:/(?:p|div|h[1-6]|ul|ol|table|blockquote|section|article|pre)|hr\b|p\b|h[1-6]\b)[^<>]*>", re.IGNORECASE
)
_ENDS_LINE: Final = re.compile(r"<(?:br\b|/(?:li|tr|dt|dd)\b)[^<>]*>", re.IGNORECASE)
_TAG: Final = re.compile(r"<[!/?]?[A-Za-z][^<>]*>")
_BLANKS: Final = re.compile(r"[^\S\n]+")
_LINES: Final = re.compile(r" *\n *")
_GAPS: Final = re.compile(r"\n{3,}")


def cleaned(text: str, how: Clean) -> Marked:
    """Return the words of a text. Raises TextError: nothing is left, or its SSML is faulty."""
    chosen = detected(text) if how is Clean.AUTO else how
    found = Marked(text) if chosen is None else _CLEANERS[chosen](text)
    if not any(map(str.isalnum, found.text)):
        raise TextError(f"holds no words once it is cleaned as {chosen}", "write the words to be spoken")
    return found


def detected(text: str) -> Clean | None:
    """Return what a text is written in; None for plain text."""
    if _SSML.search(text):
        return Clean.SSML
    if _HTML.search(text):
        return Clean.HTML
    return Clean.MARKDOWN if _MARKDOWN.search(text) else None


def _from_html(text: str) -> Marked:
    text = _DROPPED.sub(" ", _COMMENT.sub("", text))
    text = text.replace("\n", " ")
    text = _TAG.sub("", _ENDS_LINE.sub("\n", _ENDS_BLOCK.sub("\n\n", text)))
    return Marked(_tidied(html.unescape(text)))


def _from_markdown(text: str) -> Marked:
    from markdown_it import MarkdownIt  # noqa: PLC0415 - most texts need none of it

    try:
        rendered = MarkdownIt("commonmark").render(text)
    except RecursionError:
        raise TextError("its Markdown is nested too deeply", "flatten it") from None
    return _from_html(rendered)


def _from_ssml(text: str) -> Marked:
    return ssml.read(text, {name.casefold(): name for name in VOICES})


def _tidied(text: str) -> str:
    return _GAPS.sub("\n\n", _LINES.sub("\n", _BLANKS.sub(" ", text))).strip()


_CLEANERS: Final[Mapping[Clean, Callable[[str], Marked]]] = {
    Clean.HTML: _from_html,
    Clean.MARKDOWN: _from_markdown,
    Clean.SSML: _from_ssml,
}
