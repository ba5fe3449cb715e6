"""Makes text that others wrote safe to show on a terminal. Pure."""

from __future__ import annotations

import re
from typing import Final

_UNSAFE: Final = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, but for tab and line feed: they move the cursor, or command it
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # change the direction of what follows
    "\u180e\u200b\u2028\u2029\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb"  # invisible
    "\ud800-\udfff"  # halves of surrogate pairs
    "\U000e0000-\U000e007f"  # invisible tags
    "]"
)
"""Joiners stay: Persian and emoji need them."""
_BREAKS: Final = re.compile("[\t\n]")


def escaped(text: str) -> str:
    """Write unsafe characters as Python does, such as `\\x1b`; tabs and line feeds stay."""
    return _UNSAFE.sub(_as_python, text)


def escaped_line(text: str) -> str:
    """As `escaped`, on one line."""
    return _BREAKS.sub(_as_python, escaped(text))


def escaped_json(document: str) -> str:
    """Write unsafe characters within the strings of a JSON document by their codes, which JSON reads back."""
    return _UNSAFE.sub(_as_json, document)


def _as_python(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def _as_json(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
