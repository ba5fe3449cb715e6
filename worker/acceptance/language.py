"""Guesses a text's language by its script and its commonest words. Says nothing rather than something doubtful."""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

MIN_SHARE: Final = 0.12
"""Of the words: a language's commonest words are a quarter or more of a text in it."""
LEAD: Final = 1.5
MAX_CHARACTERS: Final = 4_000

_SCRIPTS: Final = (
    ("ja", re.compile("[\u3040-\u30ff]")),
    ("ko", re.compile("[\uac00-\ud7a3]")),
    ("zh", re.compile("[\u4e00-\u9fff]")),
    ("th", re.compile("[\u0e01-\u0e3a]")),
    ("el", re.compile("[\u0391-\u03c9]")),
    ("he", re.compile("[\u05d0-\u05ea]")),
    ("ar", re.compile("[\u0621-\u064a]")),
    ("hi", re.compile("[\u0904-\u0939]")),
    ("bn", re.compile("[\u0985-\u09b9]")),
    ("ta", re.compile("[\u0b85-\u0bb9]")),
    ("te", re.compile("[\u0c05-\u0c39]")),
)
_COMMON: Final = {
    "en": "the and of to a in is that it was for on with as you at be this have from not are he she his they we i "
    "had but by or an will my your their there what so up if out about who which me when can no its hello please",
    "de": "der die das und ist nicht ich sie wir ein eine zu den dem mit auf für von es im sich auch als war werden",
    "fr": "le la les et est un une des que qui dans pour pas il elle nous vous sur du au ne se avec ce sont était",
    "es": "el la los las y es un una que de en por no con para se su lo del al como más pero fue hay muy está",
    "it": "il la lo gli le e è un una che di in per non con si del della al come più ma era sono nel alla ha dei",
    "pt": "o a os as e é um uma que de em por não com para se do da ao como mais mas foi há muito está no na",
    "nl": "de het een en is niet ik je van in op te dat die met voor zijn maar er aan ook als was naar bij",
    "pl": "i w nie na się z do to że jest o jak ale po co tak za od był przez dla są go jego przed",
    "cs": "a je se v na že to s z do o i jako za by ale si pro jsem byl byla po jeho ve od už když",
    "fi": "ja on ei se että hän oli mutta kun niin kuin ovat tai myös jo vain minä sitten hänen joka sen",
    "sv": "och är att det i en som på av för med den till inte var jag han hon vi men om har från ett",
    "ca": "el la els les i és un una que de en per no amb es del al com més però era van molt seva dels",
    "tr": "ve bir bu da de için ile çok ama o daha gibi ne var değil ben sen olarak kadar sonra her",
    "ru": "и в не на что он она я с как это по но из у за к так же было бы от они мы его был все",
    "uk": "і в не на що він вона я з як це по але із у за до так же було б від вони ми його був та є",
}
_WORDS: Final = {language: frozenset(words.split()) for language, words in _COMMON.items()}
_WORD: Final = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")


def guess(text: str) -> str:
    """The primary language, or nothing where it isn't plain."""
    begun = text[:MAX_CHARACTERS]
    letters = sum(map(str.isalpha, begun))
    for language, script in _SCRIPTS:
        if len(script.findall(begun)) > (0.1 if language == "ja" else 0.4) * letters:
            return language
    words = [word.lower() for word in _WORD.findall(begun)]
    counts = Counter({language: sum(word in common for word in words) for language, common in _WORDS.items()})
    (first, most), (_, second) = counts.most_common(2)
    return first if words and most >= MIN_SHARE * len(words) and most >= LEAD * second else ""


def is_english(language: str) -> bool:
    return language.lower().replace("_", "-").partition("-")[0] == "en"
