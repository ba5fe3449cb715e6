"""What the sentence splitter does not know of single languages, as data; and a guess at a text's language."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Final

ABBREVIATIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "ar": ("د.", "أ.", "م.", "ص.", "هـ."),
    "de": ("z. B.", "z.B.", "d. h.", "d.h.", "u. a.", "u.a.", "o. ä.", "i. d. R.", "s. o.", "v. Chr.", "n. Chr."),
    "es": ("Sr.", "Sra.", "Srta.", "Dr.", "Dra.", "D.", "pág.", "EE. UU.", "p. ej.", "a. C.", "d. C."),
    "fr": ("M.", "MM.", "Mme.", "Mlle.", "av. J.-C.", "apr. J.-C.", "p. ex.", "c.-à-d."),
    "hi": ("डॉ.", "श्री.", "प्रो.", "कृ.", "सं.", "पृ."),
    "it": ("Sig.", "Sig.ra.", "Dott.", "Prof.", "p. es.", "a.C.", "d.C."),
    "pl": ("np.", "m.in.", "tzn.", "prof.", "dr.", "ul.", "p.n.e."),
    "pt": ("Sr.", "Sra.", "Dr.", "Dra.", "p. ex.", "a. C.", "d. C."),
    "ru": ("т. е.", "т. д.", "т. п.", "т. к.", "и др.", "г.", "гг.", "ул.", "им.", "н. э.", "проф."),
}
"""No sentence ends after one of these if another word of the line follows."""

REPORTING: Final[Mapping[str, re.Pattern[str]]] = {
    "ja": re.compile(r"\s*(?:と|って)"),
    "ru": re.compile(r"\s*[—–-]\s*[а-яё]"),
    "uk": re.compile(r"\s*[—–-]\s*[а-яіїєґ]"),
    "es": re.compile(r"\s*[—–-]\s*[a-záéíóúñ]"),
    "pl": re.compile(r"\s*[—–-]\s*[a-ząćęłńóśźż]"),
}
"""What follows a quotation if its sentence continues with who says it."""

SPACELESS: Final = frozenset({"ja", "km", "lo", "my", "th", "zh"})
"""Languages written without spaces between words."""

_SCRIPTS: Final = (
    ("ja", "\u3040", "\u30ff"),
    ("zh", "\u4e00", "\u9fff"),
    ("ko", "\uac00", "\ud7af"),
    ("ru", "\u0400", "\u04ff"),
    ("el", "\u0370", "\u03ff"),
    ("he", "\u0590", "\u05ff"),
    ("ar", "\u0600", "\u06ff"),
    ("hi", "\u0900", "\u097f"),
    ("bn", "\u0980", "\u09ff"),
    ("ta", "\u0b80", "\u0bff"),
    ("te", "\u0c00", "\u0c7f"),
    ("th", "\u0e00", "\u0e7f"),
    ("lo", "\u0e80", "\u0eff"),
    ("my", "\u1000", "\u109f"),
    ("km", "\u1780", "\u17ff"),
)
_SAMPLE: Final = 4_000
_KANA_SHARE: Final = 0.05
"""Japanese is written with Chinese characters too, but never without kana."""


def primary(tag: str) -> str:
    """Return the language of a BCP 47 tag: "pt" of "pt-BR"."""
    return re.split(r"[-_]", tag.strip().lower(), maxsplit=1)[0]


def guess(text: str) -> str:
    """Return the language suggested by a text's script; "en" for Latin letters, whose languages share one splitter."""
    letters = Counter(_script(character) for character in text[:_SAMPLE] if character.isalpha())
    if not letters:
        return "en"
    if letters["ja"] > _KANA_SHARE * (letters["ja"] + letters["zh"]):
        return "ja"
    return letters.most_common(1)[0][0]


def _script(character: str) -> str:
    return next((language for language, first, last in _SCRIPTS if first <= character <= last), "en")
