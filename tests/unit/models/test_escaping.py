"""What others wrote can't command a terminal."""

from __future__ import annotations

import json
import sys
import unicodedata

import pytest

from api_models.escaping import escaped, escaped_json, escaped_line
from api_models.hints import quoted

HOSTILE = {
    "window title": ("\x1b]0;x\x07", r"\x1b]0;x\x07"),
    "one-byte CSI": ("\x9b31m", r"\x9b31m"),
    "delete": ("a\x7f", r"a\x7f"),
    "carriage return": ("good\rbad", r"good\rbad"),
    "override of direction": ("\u202etxt", r"\u202etxt"),
    "isolate": ("\u2066a\u2069", r"\u2066a\u2069"),
    "line separator": ("a\u2028b", r"a\u2028b"),
    "byte order mark": ("\ufeffa", r"\ufeffa"),
    "tag": ("a\U000e0041", r"a\U000e0041"),
    "half of a pair": ("a\ud83d", r"a\ud83d"),
}


@pytest.mark.parametrize(("text", "shown"), HOSTILE.values(), ids=HOSTILE.keys())
def test_control_characters_are_written_out(text: str, shown: str) -> None:
    """As Python writes them."""
    assert escaped(text) == shown


def test_what_people_write_stays() -> None:
    """Scripts of every direction, joined emoji, tabs and lines."""
    text = "Grüße\t你好\nשלום مرحبا می‌خواهم 👩‍👩‍👧 é"
    assert escaped(text) == text
    assert "\n" not in escaped_line(text)


def test_no_control_or_format_character_passes_but_the_joiners_and_visible_ones() -> None:
    """Over all of Unicode."""
    passed = {
        chr(code)
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)) in {"Cc", "Cf", "Zl", "Zp", "Cs"} and escaped(chr(code)) == chr(code)
    }
    signs = {
        "\u0600",
        "\u0601",
        "\u0602",
        "\u0603",
        "\u0604",
        "\u0605",
        "\u06dd",
        "\u070f",
        "\u0890",
        "\u0891",
        "\u08e2",
    }
    beyond = {character for character in passed if ord(character) > 0xFFFF}  # signs and stresses of old scripts
    assert passed - beyond - signs == {"\t", "\n", "\u00ad", "\u200c", "\u200d"}


@pytest.mark.parametrize(("text", "_shown"), HOSTILE.values(), ids=HOSTILE.keys())
def test_json_is_read_back_as_it_was(text: str, _shown: str) -> None:
    """Its codes mean the same characters."""
    document = escaped_json(json.dumps({text: text}, ensure_ascii=False))
    assert escaped(document) == document
    assert json.loads(document) == {text: text}


def test_a_quoted_value_is_safe() -> None:
    """Errors quote what was given."""
    assert quoted("\u202e\x9b\x1b") == r'"\u202e\u009b\u001b"'
