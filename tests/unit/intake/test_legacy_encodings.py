"""A sheet that isn't UTF-8 is refused with the encoding that it is in, whichever its language."""

from __future__ import annotations

import hashlib

import pytest

from tests.unit.intake_outcomes import faults_of
from worker.intake.kinds import Kind
from worker.intake.legacy_encodings import suggestions

TEXTS = {
    "ja": "こんにちは、世界。今日は良い天気ですね。",
    "ja kanji": "株式会社の案内",
    "zh-cn": "欢迎收听今天的节目。我们将介绍新的产品。",
    "zh-cn short": "北京天气",
    "zh-tw": "歡迎收聽今天的節目。我們將介紹新的產品。",
    "ko": "안녕하세요. 오늘 날씨가 좋습니다.",
    "ru": "Привет, мир. Сегодня хорошая погода.",
    "uk": "Вітаємо вас у нашому магазині, дякуємо!",
    "bg": "Добре дошли в нашия магазин",
    "de": "Grüße aus Köln",
    "fr": "Une journée d'été à la plage, ça ira très bien.",
    "fr short": "café",
    "es": "¿Dónde está el niño?",
    "da": "Rødgrød med fløde på",
    "en": "It’s “fine” – really",
    "pl": "Zażółć gęślą jaźń, proszę",
    "cs": "Příliš žluťoučký kůň úpěl ďábelské ódy",
    "hu": "Árvíztűrő tükörfúrógép",
    "ro": "Bună ziua, mulţumim şi la revedere",
    "tr": "Şimdi güneşli bir gün, çok teşekkürler",
    "el": "Καλημέρα σας, καλώς ήρθατε",
    "ar": "مرحبا بكم في متجرنا",
    "lt": "Ačiū už jūsų žinutę, šįvakar",
}
CASES = [
    *((language, encoding) for language in ("ja", "ja kanji") for encoding in ("shift_jis", "cp932", "euc_jp")),
    *((language, encoding) for language in ("zh-cn", "zh-cn short") for encoding in ("gbk", "gb18030")),
    ("zh-tw", "big5"),
    ("ko", "euc_kr"),
    ("ko", "cp949"),
    *(("ru", encoding) for encoding in ("cp1251", "koi8-r", "cp866", "iso8859-5")),
    ("uk", "cp1251"),
    ("bg", "cp1251"),
    *((language, encoding) for language in ("de", "fr", "fr short", "es") for encoding in ("cp1252", "mac-roman")),
    ("de", "cp850"),
    ("da", "cp1252"),
    ("en", "cp1252"),
    ("en", "mac-roman"),
    *((language, encoding) for language in ("pl", "cs", "hu", "ro") for encoding in ("cp1250", "iso8859-2")),
    ("pl", "cp852"),
    ("tr", "cp1254"),
    ("el", "cp1253"),
    ("el", "iso8859-7"),
    ("ar", "cp1256"),
    ("lt", "cp1257"),
]
AMBIGUOUS = {("ja kanji", "euc_jp")}
"""Without a single kana, this is Chinese as well."""


@pytest.mark.parametrize(("language", "encoding"), CASES)
def test_the_encoding_of_a_sheet_is_suggested(language: str, encoding: str) -> None:
    """The first suggestion reads it as it was written, and the error names it as the option."""
    content = f"text\n{TEXTS[language]}\n".encode(encoding)
    read = [content.decode(one) for one in suggestions(content)]
    assert content.decode(encoding) in read
    if (language, encoding) not in AMBIGUOUS:
        assert read[0] == content.decode(encoding)
    fault = faults_of(content, Kind.CSV)[0]
    assert f"or use --encoding {suggestions(content)[0]}" in fault


def test_a_wrong_byte_is_shown_as_the_character_that_it_is_part_of() -> None:
    """Not as a letter of Windows-1252."""
    (fault,) = faults_of("text\nコーヒーを一杯ください。\n".encode("shift_jis"), Kind.CSV)
    assert fault == (
        'line 2: byte 1 of the line, 6 of the file, is 0x83 ("コ" in shift_jis), which is not UTF-8; '
        "save the file as UTF-8, or use --encoding shift_jis"
    )


@pytest.mark.parametrize("kind", [Kind.CSV, Kind.JSONL, Kind.PLAIN, Kind.JSON])
def test_every_kind_of_text_file_is_told(kind: Kind) -> None:
    """Also a list of JSON, which is read whole."""
    text = TEXTS["ru"]
    written = {Kind.CSV: f"text\n{text}\n", Kind.PLAIN: f"{text}\n", Kind.JSON: f'[{{"text": "{text}"}}]'}
    content = written.get(kind, f'{{"text": "{text}"}}\n').encode("koi8-r")
    assert "--encoding koi8-r" in faults_of(content, kind)[0]


def test_a_first_line_says_less_than_the_file() -> None:
    """Two letters could be of many encodings; the lines after them settle it."""
    content = ("text\nŻe\n" + TEXTS["pl"] + "\n").encode("iso8859-2")
    assert "--encoding iso8859-2" in faults_of(content, Kind.CSV)[0]


@pytest.mark.parametrize("before", [b"text\n" + b"Hello.\n" * 8_000, b"text\n" + b"Hello. " * 8_000])
def test_a_late_line_is_recognised(before: bytes) -> None:
    """After kilobytes of ASCII, in lines or in one line."""
    content = before + (TEXTS["ja"] + "\n").encode("shift_jis")
    assert any("--encoding shift_jis" in fault for fault in faults_of(content, Kind.CSV))


def test_lines_in_utf_8_are_no_sign_of_another_encoding() -> None:
    """A file of both: the line that isn't UTF-8 counts."""
    content = (TEXTS["ru"] + "\n").encode() * 50 + (TEXTS["de"] + "\n").encode("cp1252")
    assert suggestions(content) == ["cp1252"]


def test_what_is_no_text_gets_no_certain_name() -> None:
    """The remedy then lists encodings to try."""
    content = b"".join(hashlib.sha256(bytes([number])).digest() for number in range(200)).translate(None, b"\r\n")
    assert suggestions(content) == ()
    assert "such as shift_jis, gbk" in faults_of(content + b"\n", Kind.PLAIN)[0]
