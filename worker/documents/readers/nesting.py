"""Refuses HTML whose elements are nested too deeply before it is parsed, for which a parser takes quadratic time."""

from __future__ import annotations

import re
from typing import Final

from worker.documents.errors import DocumentError

MAX_DEPTH: Final = 1_000
"""Elements that are open at the same time. Pages of real sites have fewer than a hundred."""
_TOKEN: Final = re.compile(r"<(?:(!--)|(/?)([A-Za-z][^\s/>]*))")
_RAW: Final = frozenset({"script", "style", "textarea", "title", "xmp", "noscript", "iframe"})
"""Elements whose content is no markup."""
_UNCOUNTED_NAMES: Final = (
    "a area base br col colgroup dd dt embed frame hr img input li link meta optgroup option p param rb rp rt rtc "
    "source tbody td tfoot th thead tr track wbr"
)
_UNCOUNTED: Final = frozenset(_UNCOUNTED_NAMES.split())
"""Elements without content, and those that end where the next of their kind begins."""

_NEVER_ALONE: Final = frozenset(
    [
        "article",
        "aside",
        "b",
        "big",
        "blockquote",
        "center",
        "code",
        "details",
        "dialog",
        "div",
        "dl",
        "em",
        "fieldset",
        "figure",
        "font",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "i",
        "ins",
        "label",
        "main",
        "menu",
        "nav",
        "ol",
        "s",
        "section",
        "small",
        "span",
        "strong",
        "sub",
        "sup",
        "table",
        "tt",
        "u",
        "ul",
    ]
)


def check_depth(source: str) -> None:
    """Raises DocumentError: more than `MAX_DEPTH` elements are open at one place."""
    at, depth = 0, 0
    while (token := _TOKEN.search(source, at)) is not None:
        at = token.end()
        comment, closes, name = token.group(1), token.group(2), (token.group(3) or "").lower()
        if comment or (name in _RAW and not closes):
            at = _end(source, "-->" if comment else f"</{name}", at)
            continue
        at = source.find(">", at)
        if at < 0:
            return
        # Only elements of SVG and MathML end themselves; a parser of HTML passes the stroke of others over.
        if name not in _UNCOUNTED and (source[at - 1] != "/" or name in _NEVER_ALONE):
            depth = max(0, depth - 1) if closes else depth + 1
        if depth > MAX_DEPTH:
            line = source.count("\n", 0, at) + 1
            message = f"line {line}: more than {MAX_DEPTH:,} elements are open at the same time"
            raise DocumentError(message, "close the elements, or save the text of the page as .txt")


def _end(source: str, mark: str, at: int) -> int:
    found = re.compile(re.escape(mark), re.IGNORECASE).search(source, at)
    return len(source) if found is None else found.start()
