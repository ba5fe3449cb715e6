"""Guesses which encoding a text that isn't UTF-8 is in, to name it in an error. Nothing is ever read by a guess.

Each candidate decodes the text, and its characters are rated by how common they are in the languages that used that
encoding. Weakness: two encodings that differ in none of the characters present are told apart by their order here.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

MAX_SAMPLE_BYTES: Final = 16_384
BEFORE_BYTES: Final = 64
"""Kept of the ASCII before the first other byte."""
MAX_SUGGESTIONS: Final = 3
LIKELY: Final = 0.45
"""A lower rating is that of a wrong encoding, or of a text that is none."""
AS_LIKELY: Final = 0.05
"""Encodings whose ratings differ by less are suggested together."""
CAPITAL: Final = 0.9
"""Rating of a capital: a wrong Cyrillic encoding turns small letters into capitals."""
MARK: Final = 0.85
"""Of a typographic mark beside a word."""
ORDINARY: Final = 0.5
"""Of a character that the language has, and that isn't among its most frequent ones."""
RARE: Final = 0.05

_BEYOND_ASCII: Final = re.compile(rb"[\x80-\xff]")
_WESTERN: Final = (
    "àâæçéèêëîïôœùûüÿ",
    "äöüß",
    "áéíñóúü",
    "ãáàâçéêíõóôú",
    "àèéìíòóùú",
    "æøåé",
    "åäöé",
    "áðéíóúýþæö",
    "ëïéèöüáó",
    "àçèéíïòóúü",
)
_CENTRAL: Final = ("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "čćđšž", "ăâîşţ")
_BALTIC: Final = ("ąčęėįšųūž", "āčēģīķļņšūž", "äõöüšž")
_TURKISH: Final = ("çğıöşüâî",)
_GREEK: Final = "αοιετσνηυρπκμλςωίόάέγήδύώθχφβξζψϊϋΐΰ"
_HEBREW: Final = "יוהלאתרבמשנםדקעחטפכגצסןזךףץ"
_ARABIC: Final = "ايلمنرتبوهعدسفقكةحجأشصطخغىذضزثظءئؤآإپچژگ"
_CYRILLIC: Final = "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфёіїъєґљњјћђџўѓѕќ"
"""These, the most frequent letters first: of another script's encoding, they would be the rare ones."""
_VIETNAMESE: Final = ("àáâãèéêìíòóôõùúýăđĩũơư\u0300\u0301\u0303\u0309\u0323",)
_SIMPLIFIED: Final = (
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所"
    "然家种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与"
    "长把机十民第公此已工使情明性知全三又关点正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己"
    "制身果加西斯月话合回特代内信表化老给世位次度门任常先海通教儿原东声提立及比员解水名真论处走义各入几口认条平系"
    "气题活尔更别打女变四神总何电数安少报才结反受目太量再感建务做接必场件计管期市直德资命山金指克许统区保至队形社"
    "您请欢迎谢吗吧呢听字句"
)
_TRADITIONAL: Final = (
    "的一是不了在人有我他這個們中來上大為和國地到以說時要就出會可也你對生能而子那得於著下自之年過發後作裡用道行所"
    "然家種事成方多經麼去法學如都同現當沒動面起看定天分還進好小部其些主樣理心她本前開但因只從想實日軍者意無力它與"
    "長把機十民第公此已工使情明性知全三又關點正業外將兩高間由問很最重並物手應戰向頭文體政美相見被利什二等產或新己"
    "您請歡迎謝嗎吧呢聽字句"
)
_KOREAN: Final = (
    "이다는을의에가고하지로기도사한리자나서어인대과정아은해를시수들전라주부그보니스일여안상원제것요만게장구면입없었"
    "했합습할으와으세녕감까우동선생성신연유위조중경공있른러"
)
_JAPANESE_MARKS: Final = "、。「」『』！？ー・…（）　〜々"
_CHINESE_MARKS: Final = "，。！？、；：“”‘’（）《》「」—…　"
_MARKS: Final = frozenset("“”„‘’‚‹›«»–—…•·€£©®™°§¿¡º\u00a0№")
_APOSTROPHE: Final = "’"

_Rating = Callable[[str], float]
"""Of a decoded text: between 0 (no text of these languages) and 1."""


@dataclass(frozen=True, slots=True)
class _Family:
    encodings: tuple[str, ...]
    """Each a superset of the one before: the first that decodes the text stands for all."""
    rating: _Rating


def suggestions(sample: bytes) -> Sequence[str]:
    """Return the encodings that this text may be in, the likeliest first; empty if none is likely."""
    written = b"".join(line for line in sample.splitlines(keepends=True) if not _is_utf_8(line))
    start = _BEYOND_ASCII.search(written)
    foreign = written[max(0, start.start() - BEFORE_BYTES) :][:MAX_SAMPLE_BYTES] if start else b""
    rated = [(family.rating(text), name, text) for family in _FAMILIES for name, text in _decoded(foreign, family)]
    best = max((rating for rating, *_ in rated), default=0.0)
    if best < LIKELY:
        return ()
    likely = sorted((one for one in rated if one[0] >= best - AS_LIKELY), key=lambda one: -one[0])
    names: dict[str, str] = {}
    for _, name, text in likely:
        names.setdefault(text, name)  # one that reads the text alike is no alternative
    return list(names.values())[:MAX_SUGGESTIONS]


def character(line: bytes, position: int, encoding: str) -> str:
    """Return the character that the byte at `position` is part of; empty if it is none that can be shown."""
    decoder = codecs.getincrementaldecoder(encoding)("ignore")
    decoder.decode(line[:position])
    found = next((text for byte in line[position : position + 4] if (text := decoder.decode(bytes([byte])))), "")
    return found[:1] if found[:1].isprintable() else ""


def _is_utf_8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _decoded(content: bytes, family: _Family) -> Iterator[tuple[str, str]]:
    """Yield the first encoding of the family that fits, and the text; nothing if none does."""
    for name in family.encodings:
        try:
            # Not final: the sample may end amid a character.
            yield name, codecs.getincrementaldecoder(name)().decode(content)
        except UnicodeDecodeError:
            continue
        return


def _latin(text: str, languages: Sequence[str]) -> float:
    """Rate a text by the language that has most of its letters."""
    judged = _in_context(text)
    totals = (sum(_letter(*three, dict.fromkeys(letters, 1.0)) for three in judged) for letters in languages)
    return max(totals) / (len(judged) or 1)


def _other_script(text: str, letters: str) -> float:
    """Rate a text by its script's most frequent letters. Beside a Latin letter, no other script's is likely."""
    judged = _in_context(text)
    weights = {letter: 1 - rank / (2 * len(letters)) for rank, letter in enumerate(letters)}
    return sum(0.0 if _is_latin(one[0]) or _is_latin(one[2]) else _letter(*one, weights) for one in judged) / (
        len(judged) or 1
    )


def _is_latin(one: str) -> bool:
    return one.isascii() and one.isalpha()


def _in_context(text: str) -> list[tuple[str, str, str]]:
    """Return each character beyond ASCII between its neighbours."""
    return [three for three in zip(f" {text}", text, f"{text[1:]} ", strict=False) if not three[1].isascii()]


def _letter(before: str, one: str, after: str, letters: Mapping[str, float]) -> float:
    if one in _MARKS:
        is_inside = before.isalpha() and after.isalpha()
        return 0.0 if is_inside and one != _APOSTROPHE else MARK
    small = one.lower() if one != "İ" else "ı"
    weight = letters.get(small, 0.0)
    if one == small:
        return weight
    return 0.0 if before.islower() else weight * CAPITAL


def _ideographic(text: str, frequent: frozenset[str], is_ordinary: Callable[[str], bool]) -> float:
    judged = [one for one in text if not one.isascii()]
    return sum(1.0 if one in frequent else ORDINARY if is_ordinary(one) else RARE for one in judged) / (
        len(judged) or 1
    )


def _is_hangul(one: str) -> bool:
    return "가" <= one <= "힣"


def _is_kanji(one: str) -> bool:
    return "一" <= one <= "鿿"


def _leads_within(encoding: str, first: int, last: int, one: str) -> bool:
    """Whether the standard lists a character among the common ones, by the first of its two bytes."""
    encoded = one.encode(encoding, "ignore")
    return len(encoded) == 2 and first <= encoded[0] <= last


def _range(first: str, last: str) -> Iterable[str]:
    return map(chr, range(ord(first), ord(last) + 1))


_KANA: Final = frozenset([*_range("ぁ", "ん"), *_range("ァ", "ヶ"), *_JAPANESE_MARKS])
_japanese: Final = partial(_ideographic, frequent=_KANA, is_ordinary=_is_kanji)
_cyrillic: Final = partial(_other_script, letters=_CYRILLIC)
_greek: Final = partial(_other_script, letters=_GREEK)
_western: Final = partial(_latin, languages=_WESTERN)
_central: Final = partial(_latin, languages=_CENTRAL)

_FAMILIES: Final = (
    _Family(("cp1252",), _western),
    _Family(("cp1250",), _central),
    _Family(("iso8859-2",), _central),
    _Family(("shift_jis", "cp932"), _japanese),
    _Family(("euc_jp",), _japanese),
    _Family(
        ("gbk", "gb18030"),
        partial(
            _ideographic,
            frequent=frozenset(_SIMPLIFIED + _CHINESE_MARKS),
            is_ordinary=partial(_leads_within, "gb2312", 0xB0, 0xD7),
        ),
    ),
    _Family(
        ("big5",),
        partial(
            _ideographic,
            frequent=frozenset(_TRADITIONAL + _CHINESE_MARKS),
            is_ordinary=partial(_leads_within, "big5", 0xA4, 0xC6),
        ),
    ),
    _Family(("euc_kr", "cp949"), partial(_ideographic, frequent=frozenset(_KOREAN), is_ordinary=_is_hangul)),
    _Family(("cp1251",), _cyrillic),
    _Family(("koi8-r",), _cyrillic),
    _Family(("iso8859-5",), _cyrillic),
    _Family(("cp866",), _cyrillic),
    _Family(("cp1253",), _greek),
    _Family(("iso8859-7",), _greek),
    _Family(("cp1254",), partial(_latin, languages=_TURKISH)),
    _Family(("cp1255",), partial(_other_script, letters=_HEBREW)),
    _Family(("cp1256",), partial(_other_script, letters=_ARABIC)),
    _Family(("cp1257",), partial(_latin, languages=_BALTIC)),
    _Family(("cp1258",), partial(_latin, languages=_VIETNAMESE)),
    _Family(("mac-roman",), _western),
    _Family(("cp850",), _western),
    _Family(("cp852",), _central),
)
