"""Words of any language in the phones of the English acoustic model, the nearest for each sound.

The sounds come from espeak-ng in IPA. What has no near phone is near enough for a sentence, not for a word.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from worker.acceptance.espeak import Espeak, EspeakError

REMEMBERED_WORDS: Final = 4_096
_TABLE: Final = """\
a AA, e EH, i IY, o OW, u UW, y UW, ɑ AA, ɐ AH, ɒ AA, æ AE, ɛ EH, ɜ ER, ɘ AH, ə AH, ɞ AH, ɪ IH, ɨ IH, ɔ AO, ɵ UH, ø ER,
œ EH, ɶ AA, ʊ UH, ʌ AH, ɤ AH, ɯ UH, ʉ UW, ʏ UH, ɚ ER, ɝ ER, b B, β V, c CH, ç SH, d D, ð DH, ɖ D, f F, ɸ F, ɡ G, g G,
ɣ G, ɢ G, h HH, ħ HH, ɦ HH, j Y, ʝ Y, ɟ JH, k K, l L, ʎ L Y, ɫ L, ɭ L, ʟ L, ɬ L, m M, ɱ M, n N, ɲ N Y, ŋ NG, ɳ N, ɴ N,
p P, q K, r R, ɹ R, ɾ R, ʁ R, ɻ R, ʀ R, ɽ R, s S, ʃ SH, ʂ SH, ɕ SH, t T, θ TH, ʈ T, v V, ʋ V, w W, ʍ W, ɥ W, x HH, χ HH,
z Z, ʒ ZH, ʐ ZH, ʑ ZH, ʔ, ɮ L, ʕ, ɰ W"""
_PAIRS: Final = """\
tʃ CH, dʒ JH, ts T S, dz D Z, tɕ CH, dʑ JH, tʂ CH, dʐ JH, aɪ AY, aʊ AW, eɪ EY, oʊ OW, ɔɪ OY, ai AY, au AW, ei EY, ou OW,
oi OY, əʊ OW, ɔʏ OY, ɪə IH AH, r̝ ZH"""
_LANGUAGE_MARK: Final = re.compile(r"\([a-z-]+\)")


def _sounds(listed: str) -> dict[str, str]:
    pairs = (one.strip().partition(" ") for one in listed.split(","))
    return {ipa: phones for ipa, _, phones in pairs}


_SOUNDS: Final = _sounds(_PAIRS) | _sounds(_TABLE)


def arpabet(ipa: str) -> str:
    """The nearest phones, separated by blanks."""
    written = unicodedata.normalize("NFD", _LANGUAGE_MARK.sub("", ipa).replace("r̝", "ʒ"))
    bare = "".join(one for one in written if one.isalpha() and unicodedata.category(one) != "Lm")
    found, at = [], 0
    while at < len(bare):
        size = 2 if bare[at : at + 2] in _SOUNDS else 1
        found.append(_SOUNDS.get(bare[at : at + size], ""))
        at += size
    return " ".join(filter(None, found))


def phones_of(words: Sequence[str], language: str, espeak: Espeak) -> list[str]:
    """For each word its phones; nothing where espeak-ng says nothing. Raises EspeakError."""
    return list(_phones(tuple(words), language, espeak))


@lru_cache(maxsize=16)
def _phones(words: tuple[str, ...], language: str, espeak: Espeak) -> tuple[str, ...]:
    lines = espeak.ipa(words, language)
    if len(lines) != len(words):
        raise EspeakError(f"{espeak.program} returned {len(lines)} pronunciations for {len(words)} words")
    return tuple(map(arpabet, lines))
