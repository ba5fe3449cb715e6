"""Detects texts without speakable words, and markup that may be read aloud. Pure."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from api_models.hints import quoted

SHOWN_LINES: Final = 8

_CELL_ERRORS: Final = frozenset(
    {
        "#N/A",
        "#NV",
        "#N/D",
        "#ND",
        "#REF!",
        "#BEZUG!",
        "#VALUE!",
        "#WERT!",
        "#VALEUR!",
        "#VALOR!",
        "#¡VALOR!",
        "#¡REF!",
        "#NAME?",
        "#NOM?",
        "#NOME?",
        "#¿NOMBRE?",
        "#DIV/0!",
        "#¡DIV/0!",
        "#NULL!",
        "#NUL!",
        "#NULO!",
        "#¡NULO!",
        "#NUM!",
        "#ZAHL!",
        "#NOMBRE!",
        "#NÚM!",
        "#¡NUM!",
        "#SPILL!",
        "#ÜBERLAUF!",
        "#CALC!",
        "#KALK!",
        "#FIELD!",
        "#FELD!",
        "#BLOCKED!",
        "#BLOCKIERT!",
        "#CONNECT!",
        "#UNKNOWN!",
        "#GETTING_DATA",
        "#ERROR!",
        "#BUSY!",
        "#PYTHON!",
    }
)
"""Error values of Excel, Google Sheets and LibreOffice in their major languages."""
_LIBREOFFICE_ERROR: Final = re.compile(r"Err:\d{3}")

_TAG: Final = re.compile(r"<!--.*?-->|<!\[CDATA\[|\]\]>|<[!?]?/?[A-Za-z][A-Za-z0-9:_-]*(?:\s[^<>]*)?/?>", re.DOTALL)
_ENTITY: Final = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_DIRECTION: Final = re.compile(r"\[[^\[\]]*\]")
_SSML: Final = re.compile(
    r"<(?:speak|break|prosody|say-as|phoneme|emphasis|sub|audio|mstts:[a-z-]+|amazon:[a-z-]+)[\s/>]", re.IGNORECASE
)
_FIRST_OF_ERRORS: Final = frozenset("#E")
_SIGNS: Final = "<&#["
_FIRST: Final = frozenset("#E<&[")
"""First characters of texts that may hold no words."""


class Markup(StrEnum):
    """Markup that a text may contain. The value is its display name."""

    HTML = "HTML"
    SSML = "SSML"
    NOTHING = "nothing but markup or the error of a formula"
    """Sheets with such a text are refused; over HTTP it is a warning."""
    ENTITIES = "character entities (such as &amp;)"


def unspoken(text: str) -> str | None:
    """Return the reason and remedy if a text has no words, else None. An empty text returns None."""
    bare = text.strip()
    if bare[:1] not in _FIRST:
        return None
    if is_cell_error(bare):
        return f"holds {quoted(bare)}, the error of a formula; correct the formula, or write the words to be spoken"
    words = html.unescape(_ENTITY.sub(_if_no_word, _DIRECTION.sub("", _TAG.sub("", bare))))
    if words == bare or any(map(str.isalnum, words)):
        return None
    return f"holds nothing but markup, {quoted(bare)}; give the words to be spoken"


def is_cell_error(value: object) -> bool:
    """Whether a cell shows the error of a formula, such as `#N/A`."""
    if not isinstance(value, str) or value.lstrip()[:1] not in _FIRST_OF_ERRORS:
        return False
    bare = value.strip()
    return bare.upper() in _CELL_ERRORS or _LIBREOFFICE_ERROR.fullmatch(bare) is not None


def any_unspoken(texts: Sequence[str]) -> bool:
    return any(text.lstrip()[:1] in _FIRST and unspoken(text) for text in texts)


def markup(text: str) -> Markup | None:
    if text.lstrip()[:1] in _FIRST and unspoken(text):
        return Markup.NOTHING
    if "<" in text and _TAG.search(text):
        return Markup.SSML if _SSML.search(text) else Markup.HTML
    return Markup.ENTITIES if "&" in text and _ENTITY.search(text) else None


def markup_warnings(text: str) -> list[str]:
    kind = markup(text)
    return [] if kind is None else [f"the text contains {kind}, which may be read aloud"]


@dataclass(slots=True)
class MarkupCount:
    """Counts an input's texts with markup and keeps the first lines."""

    texts: Counter[Markup] = field(default_factory=Counter)
    first: dict[Markup, list[int]] = field(default_factory=dict)

    def warnings(self, describe: Callable[[int], str | None]) -> list[str]:
        """One sentence for each kind of markup. `describe` names a position; None if its line number suffices."""
        return [self._warning(kind, count, describe) for kind, count in self.texts.items()]

    def _warning(self, kind: Markup, count: int, describe: Callable[[int], str | None]) -> str:
        lines = self.first[kind]
        places = [describe(line) for line in lines]
        where = f"{'line' if count == 1 else 'lines'} {', '.join(map(str, lines))}"
        if None not in places:
            where = ", ".join(filter(None, places))
        where += ", …" if count > len(lines) else ""
        texts = "1 text contains" if count == 1 else f"{count:,} texts contain"
        return f"{texts} {kind}, which may be read aloud: {where}"

    def look(self, texts: Sequence[str], lines: Iterable[int]) -> None:
        written = "".join(texts)
        if not any(sign in written for sign in _SIGNS):
            return
        for text, line in zip(texts, lines, strict=False):
            if (kind := markup(text)) is not None:
                self.texts[kind] += 1
                if len(shown := self.first.setdefault(kind, [])) < SHOWN_LINES:
                    shown.append(line)


def _if_no_word(found: re.Match[str]) -> str:
    return " " if not html.unescape(found[0]).isalnum() else found[0]
