"""Reads English numbers, signs and abbreviations as words, in each way that they may be read."""

from __future__ import annotations

import re
from typing import Final

Reading = tuple[str, ...]

MAX_DIGITS: Final = 15
_SMALL_WORDS: Final = """\
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
nineteen"""
_TENS_WORDS: Final = "zero ten twenty thirty forty fifty sixty seventy eighty ninety"
_SMALL: Final = _SMALL_WORDS.split()
_TENS: Final = _TENS_WORDS.split()
_SCALES: Final = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"), (1_000, "thousand"), (100, "hundred"))
_ORDINALS: Final = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
_CURRENCIES: Final = {"$": "dollars", "€": "euros", "£": "pounds"}
_NUMBER: Final = re.compile(
    r"(?P<sign>[$€£])?(?P<whole>\d[\d,]*)(?:\.(?P<part>\d+))?(?P<end>st|nd|rd|th|s|%)?", re.IGNORECASE
)
_ABBREVIATIONS: Final[dict[str, tuple[str, ...]]] = {
    "mr": ("mister",),
    "mrs": ("missus",),
    "ms": ("miz", "miss"),
    "dr": ("doctor", "drive"),
    "st": ("saint", "street"),
    "prof": ("professor",),
    "no": ("no", "number"),
    "vs": ("versus",),
    "etc": ("et cetera",),
    "jr": ("junior",),
    "sr": ("senior",),
    "km": ("kilometers", "k m"),
    "kg": ("kilograms", "k g"),
    "cm": ("centimeters", "c m"),
    "approx": ("approximately",),
    "jan": ("january",),
    "feb": ("february",),
    "aug": ("august",),
    "sept": ("september",),
    "oct": ("october",),
    "nov": ("november",),
    "dec": ("december",),
    "&": ("and",),
    "%": ("percent",),
    "+": ("plus",),
    "@": ("at",),
    "=": ("equals",),
}


def cardinal(number: int) -> Reading:
    if number < len(_SMALL):
        return (_SMALL[number],)
    if number < 100:
        tens, rest = divmod(number, 10)
        return (_TENS[tens], *(cardinal(rest) if rest else ()))
    scale, name = next((scale, name) for scale, name in _SCALES if number >= scale)
    head, rest = divmod(number, scale)
    return (*cardinal(head), name, *(cardinal(rest) if rest else ()))


def ordinal(number: int) -> Reading:
    *first, last = cardinal(number)
    ending = last[:-1] + "ieth" if last.endswith("y") else last + "th"
    return (*first, _ORDINALS.get(last, ending))


def readings(token: str) -> tuple[Reading, ...]:
    """The ways to read a token that isn't a plain word; none for a plain word."""
    if words := _ABBREVIATIONS.get(token.lower().rstrip(".")):
        return tuple(tuple(one.split()) for one in words)
    found = _NUMBER.fullmatch(token)
    if found is None:
        return ()
    digits = found["whole"].replace(",", "")
    spelled = tuple(_SMALL[int(digit)] for digit in digits)
    if len(digits) > MAX_DIGITS:
        return (spelled,)
    number, end = int(digits), (found["end"] or "").lower()
    if end in {"st", "nd", "rd", "th"}:
        return (ordinal(number),)
    fraction = ("point", *(_SMALL[int(digit)] for digit in found["part"])) if found["part"] else ()
    tail = ("percent",) if end == "%" else (_CURRENCIES[found["sign"]],) if found["sign"] else ()
    plain = [(*cardinal(number), *fraction, *tail)]
    if found["sign"] and found["part"] and len(found["part"]) == 2:
        plain.append((*cardinal(number), *tail, "and", *cardinal(int(found["part"])), "cents"))
    if not (fraction or tail):
        plain += [*_years(number), *_with_and(number), spelled]
    return tuple(dict.fromkeys(plain))


def _years(number: int) -> list[Reading]:
    century, rest = divmod(number, 100)
    if not 1_000 <= number <= 9_999 or century % 10 == 0:
        return []
    second = cardinal(rest) if rest > 9 else ("oh", *cardinal(rest)) if rest else ("hundred",)
    return [(*cardinal(century), *second)]


def _with_and(number: int) -> list[Reading]:
    """As British speakers read it: "three hundred and fifty"."""
    hundreds, rest = divmod(number, 100)
    return [(*cardinal(hundreds * 100), "and", *cardinal(rest))] if hundreds and rest else []
