"""How English words are pronounced: the dictionary of pocketsphinx's wheel, else rules for letters.

The rules are coarse: a word that they pronounced counts as unknown.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Final

ACUTES: Final = str.maketrans("àáâäãåçèéêëìíîïñòóôöõøùúûüýÿ’", "aaaaaaceeeeiiiinoooooouuuuyy'")
_VARIANT: Final = re.compile(rb"\(\d+\)$")
_LETTER_SOUNDS: Final = """\
a EY, b B IY, c S IY, d D IY, e IY, f EH F, g JH IY, h EY CH, i AY, j JH EY, k K EY, l EH L, m EH M, n EH N, o OW,
p P IY, q K Y UW, r AA R, s EH S, t T IY, u Y UW, v V IY, w D AH B AH L Y UW, x EH K S, y W AY, z Z IY"""
_RULE_SOUNDS: Final = """\
tion SH AH N, sion ZH AH N, ture CH ER, ough OW, augh AO, eigh EY, igh AY, tch CH, sch SH, dge JH, ck K, ch CH, sh
SH, th TH, ph F, wh W, qu K W, kn N, wr R, ng NG, gh G, ee IY, ea IY, oo UW, ou AW, ow OW, oi OY, oy OY, ai EY, ay
EY, au AO, aw AO, ie IY, ei EY, eu Y UW, ew UW, ue UW, oa OW, ar AA R, er ER, ir ER, or AO R, ur ER, bb B, cc K, dd
D, ff F, gg G, kk K, ll L, mm M, nn N, pp P, rr R, ss S, tt T, zz Z, ce S, ci S IH, cy S IY, ge JH, gi JH IH, x K S,
a AE, b B, c K, d D, e EH, f F, g G, h HH, i IH, j JH, k K, l L, m M, n N, o AA, p P, q K, r R, s S, t T, u AH, v V,
w W, y IY, z Z"""


def _sounds(listed: str) -> dict[str, str]:
    pairs = (one.strip().partition(" ") for one in listed.split(","))
    return {letters: phones for letters, _, phones in pairs}


_LETTERS: Final = _sounds(_LETTER_SOUNDS)
_RULES: Final = _sounds(_RULE_SOUNDS)


@lru_cache(maxsize=1)
def _dictionary() -> dict[bytes, tuple[bytes, ...]]:
    """135,000 words, 25 MB: read once, by a process that judges English."""
    from pocketsphinx import get_model_path  # noqa: PLC0415  (an extra, and slow to import)

    known: dict[bytes, tuple[bytes, ...]] = {}
    for line in (Path(get_model_path()) / "en-us" / "cmudict-en-us.dict").read_bytes().splitlines():
        word, _, phones = line.partition(b" ")
        name = _VARIANT.sub(b"", word)
        known[name] = (*known.get(name, ()), phones)
    return known


def plain(word: str) -> str:
    return word.lower().translate(ACUTES)


def pronunciations(word: str) -> tuple[str, ...]:
    """ARPAbet, the usual one first; none for a word that the dictionary doesn't have."""
    known = _dictionary()
    name = plain(word)
    found = known.get(name.encode()) or known.get(name.removesuffix("'s").encode())
    return tuple(phones.decode() for phones in found or ())


def spelled(word: str) -> str:
    """The names of the letters."""
    return " ".join(_LETTERS[letter] for letter in plain(word) if letter in _LETTERS)


def guessed(word: str) -> str:
    """By rules for letters; nothing for a word without Latin letters."""
    name, phones, at = plain(word), [], 0
    if len(name) > 3 and name.endswith("e") and name[-2] not in "aeiou":
        name = name[:-1]
    while at < len(name):
        letters, sound = next(((one, two) for one, two in _RULES.items() if name.startswith(one, at)), ("", ""))
        phones += [sound] if sound else []
        at += max(1, len(letters))
    return " ".join(phones)
