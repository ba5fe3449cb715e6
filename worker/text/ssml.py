"""A subset of the W3C's SSML 1.1: text with pauses, voices and edits. What it doesn't know is an error by place."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from api_models.hints import did_you_mean
from worker.text.errors import TextError
from worker.text.lexicon.edits import Edit
from worker.text.lexicon.lexicon import characters, digits
from worker.text.marked import Marked
from worker.text.xml import XML, Element, MarkupError, parse

NAMESPACE: Final = "http://www.w3.org/2001/10/synthesis"
MAX_BREAK_SECONDS: Final = 60.0
STRENGTHS: Final[Mapping[str, float]] = {
    "none": 0.0,
    "x-weak": 0.1,
    "weak": 0.25,
    "medium": 0.5,
    "strong": 0.8,
    "x-strong": 1.2,
}
"""Seconds of a break without a time."""
_LANG: Final = f"{{{XML}}}lang"
_COMMON: Final = frozenset({_LANG, f"{{{XML}}}base", f"{{{XML}}}id"})
_SCHEMA: Final = "{http://www.w3.org/2001/XMLSchema-instance}schemaLocation"
ATTRIBUTES: Final[Mapping[str, frozenset[str]]] = {
    "speak": frozenset({"version", _SCHEMA}) | _COMMON,
    "p": _COMMON,
    "s": _COMMON,
    "break": frozenset({"time", "strength"}),
    "sub": frozenset({"alias"}) | _COMMON,
    "say-as": frozenset({"interpret-as", "format", "detail"}) | _COMMON,
    "lang": _COMMON | {"onlangfailure"},
    "emphasis": frozenset({"level"}) | _COMMON,
    "prosody": frozenset({"rate", "pitch", "volume", "contour", "range", "duration"}) | _COMMON,
    "voice": frozenset({"name"}) | _COMMON,
    "mark": frozenset({"name"}),
}
"""Every element that is read, with its attributes."""
_READINGS: Final[Mapping[str, Callable[[str], str]]] = {
    "characters": characters,
    "spell-out": characters,
    "verbatim": characters,
    "digits": digits,
    "telephone": digits,
}
_AS_WRITTEN: Final = frozenset({"cardinal", "number", "ordinal", "date", "time", "currency", "unit", "fraction"})
"""Readings that a model finds by itself."""
_TIME: Final = re.compile(r"\+?(\d+(?:\.\d+)?|\.\d+)(ms|s)")
_BLANKS: Final = re.compile(r"\s+")
_ROOT: Final = re.compile(r"\s*<(?:speak[\s/>]|\?xml|!)")
_WRAPPER: Final = "<speak>"


def read(source: str, voices: Mapping[str, str]) -> Marked:
    """Read SSML, with or without its root.

    Args:
        source: The markup.
        voices: The names of known voices by their lower-case spelling.

    Raises:
        MarkupError: It is no SSML of this subset; with line and column.
        TextError: It holds no words.
    """
    is_whole = _ROOT.match(source) is not None
    try:
        root = parse(source if is_whole else f"{_WRAPPER}{source}</speak>")
        if root.name != "speak":
            raise root.error(f"begins with <{root.name}>, not with <speak>", "wrap it in <speak>…</speak>")
        writer = _Writer(voices)
        writer.element(root, "")
    except MarkupError as error:
        if not is_whole and error.line == 1:
            error.column = max(1, error.column - len(_WRAPPER))
        raise
    return writer.marked()


@dataclass(slots=True)
class _Writer:
    voices: Mapping[str, str]
    pieces: list[str] = field(default_factory=list)
    length: int = 0
    between: str = ""
    """Blanks or a paragraph's end that stand before the next word."""
    edits: list[Edit] = field(default_factory=list)
    pauses: dict[int, float] = field(default_factory=dict)
    changes: list[tuple[int, str]] = field(default_factory=list)
    """Places from which another voice speaks."""
    unapplied: dict[str, int] = field(default_factory=dict)
    pending: float = 0.0
    """Seconds of breaks since the last word."""
    voice: str = ""
    spoken_by: str = ""

    def element(self, element: Element, voice: str) -> None:
        self._check(element)
        inner = self._voice(element) if element.name == "voice" else voice
        if element.name == "break":
            self.pending += _seconds(element)
            return
        if element.name in ("sub", "say-as"):
            self._replaced(element, inner)
            return
        if element.name in ("emphasis", "prosody", "mark"):
            self.unapplied[element.name] = self.unapplied.get(element.name, 0) + 1
        self._separate(element.name)
        for child in element.content:
            if isinstance(child, str):
                self._text(child, inner)
            else:
                self.element(child, inner)
        self._separate(element.name)

    def _check(self, element: Element) -> None:
        if element.namespace not in ("", NAMESPACE) or element.name not in ATTRIBUTES:
            hint = did_you_mean(element.name, ATTRIBUTES)
            raise element.error(f"no element <{element.name}>{hint}", f"use {', '.join(ATTRIBUTES)}")
        for name in element.attributes:
            if name not in ATTRIBUTES[element.name]:
                known = sorted(one.rpartition("}")[2] for one in ATTRIBUTES[element.name])
                shown = name.rpartition("}")[2]
                raise element.error(f"<{element.name}> has no attribute {shown}", f"use {', '.join(known)}")

    def _voice(self, element: Element) -> str:
        name = element.attributes.get("name", "")
        found = self.voices.get(name.strip().casefold())
        if found is None:
            hint = did_you_mean(name, self.voices.values())
            raise element.error(f"<voice> names no voice {name}{hint}", "`ttsq voices` lists all")
        return found

    def _separate(self, name: str) -> None:
        if name == "p":
            self.between = "\n\n"
        elif name == "s" and self.between != "\n\n":
            self.between = " "

    def _text(self, text: str, voice: str) -> None:
        words = _BLANKS.sub(" ", text)
        if words.startswith(" ") and not self.between:
            self.between = " "
        if words := words.strip():
            self._write(words, voice)
            if text[-1].isspace():
                self.between = " "

    def _write(self, words: str, voice: str) -> int:
        """Returns where the words begin."""
        if self.length:
            self.between = "\n\n" if self.pending or voice != self.spoken_by else self.between
            self.pieces.append(self.between)
            self.length += len(self.between)
            if self.pending:
                self.pauses[self.length] = self.pauses.get(self.length, 0.0) + self.pending
        elif self.pending:
            self.unapplied["break before the first word"] = 1
        if voice != self.spoken_by:
            self.changes.append((self.length, voice))
        start, self.pending, self.between, self.spoken_by = self.length, 0.0, "", voice
        self.pieces.append(words)
        self.length += len(words)
        return start

    def _replaced(self, element: Element, voice: str) -> None:
        inner = next((child for child in element.content if isinstance(child, Element)), None)
        if inner is not None:
            raise inner.error(f"<{element.name}> may hold text alone", f"move <{inner.name}> out of it")
        written = _BLANKS.sub(" ", element.text()).strip()
        if not written:
            raise element.error(f"<{element.name}> is empty", "write the words that it stands for")
        said = _alias(element) if element.name == "sub" else _said_as(element, written)
        start = self._write(said, voice)
        if said != written:
            self.edits.append(Edit(start, start + len(said), written))

    def marked(self) -> Marked:
        if self.pending:
            self.unapplied["break behind the last word"] = 1
        text = "".join(self.pieces)
        if not any(map(str.isalnum, text)):
            raise TextError("the SSML holds no words", "write the words to be spoken")
        return Marked(text, tuple(self.edits), tuple(self.pauses.items()), tuple(self.changes), dict(self.unapplied))


def _seconds(element: Element) -> float:
    if any(not isinstance(child, str) or child.strip() for child in element.content):
        raise element.error("<break> holds text", "close it at once: <break/>")
    given = element.attributes.get("time")
    if given is None:
        strength = element.attributes.get("strength", "medium")
        if strength not in STRENGTHS:
            hint = did_you_mean(strength, STRENGTHS)
            raise element.error(f"<break> has no strength {strength}{hint}", f"use {', '.join(STRENGTHS)}")
        return STRENGTHS[strength]
    found = _TIME.fullmatch(given.strip())
    seconds = -1.0 if found is None else float(found[1]) / (1000 if found[2] == "ms" else 1)
    if not 0 <= seconds <= MAX_BREAK_SECONDS:
        limit = f"{MAX_BREAK_SECONDS:.0f}s"
        raise element.error(f"<break> has the time {given}", f"use 0s to {limit}, such as 500ms or 1.5s")
    return seconds


def _alias(element: Element) -> str:
    alias = _BLANKS.sub(" ", element.attributes.get("alias", "")).strip()
    if not any(map(str.isalnum, alias)):
        raise element.error("<sub> has no alias", 'write the words to speak, such as alias="World Wide Web"')
    return alias


def _said_as(element: Element, written: str) -> str:
    kind = element.attributes.get("interpret-as", "")
    if kind in _AS_WRITTEN:
        return written
    if kind not in _READINGS:
        known = sorted({*_READINGS, *_AS_WRITTEN})
        hint = did_you_mean(kind, known)
        raise element.error(f"<say-as> has no interpret-as {kind}{hint}", f"use {', '.join(known)}")
    return _READINGS[kind](written)
