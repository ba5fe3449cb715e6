"""Converts text to syllables and rests. Knows letters, not sound."""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

WIDE_WEIGHT: Final = 3
"""A CJK character takes about as long to speak as three letters."""
LONGEST_NOTE: Final = 5
"""Characters; a longer syllable becomes several notes."""
COMMA_REST_MS: Final = 140
STOP_REST_MS: Final = 320
REST_SHARE: Final = 0.2
"""Rests take at most this share of the speaking time: a text of dots must not become a silent file."""
MS_PER_CHARACTER: Final = 1_000 / 15
"""English speech runs at about 15 characters a second."""

_TAG = re.compile(r"\[[^\[\]\n]{1,40}\]")
_TURN = re.compile(r"^\s*([^\W\d_][\w .'’-]{0,39}):[ \t]*(.*)$")
_SENTENCE = re.compile(r"[^.!?…。！？\n]+[.!?…。！？\n]*|[.!?…。！？\n]+")
_WORD = re.compile(r"([^\W_]+(?:['’][^\W_]+)*)([^\w\n]*)")
_SYLLABLE = re.compile(r"[^aeiouyáàâäãåéèêëíìîïóòôöõúùûüæøœ]*[aeiouyáàâäãåéèêëíìîïóòôöõúùûüæøœ]+|.+")
_VOWELS: Final = "aeiou"
_HISSES: Final = frozenset("sfzxcjhktpq")


class Note(NamedTuple):
    vowel: int
    """0 to 4: a, e, i, o, u."""
    hiss: bool
    """Whether it begins with a voiceless consonant."""
    weight: int
    """Length in characters."""
    step: int
    """Semitones relative to the voice's pitch."""
    stressed: bool


class Rest(NamedTuple):
    milliseconds: int


def weight(text: str) -> int:
    """Length in letters; wide characters (CJK) count three."""
    return sum(WIDE_WEIGHT if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def turns(text: str, *, two_speakers: bool, tags: bool) -> list[tuple[int, str]]:
    """Split the text into (speaker 0 or 1, words). Only a two-voice dialogue leaves its speaker names unspoken.

    `tags` omits inline tags such as `[whispers]`; otherwise they are read aloud.
    """
    spoken = _TAG.sub(" ", text) if tags else text
    if not two_speakers:
        return [(0, spoken)]
    names: dict[str, int] = {}
    parts: list[tuple[int, str]] = []
    for line in spoken.splitlines():
        if found := _TURN.match(line):
            speaker = names.setdefault(found[1].casefold(), len(names)) % 2
            parts.append((speaker, found[2]))
        else:
            parts.append((parts[-1][0] if parts else 0, line))
    return parts


def score(text: str) -> list[Note | Rest]:
    events: list[Note | Rest] = []
    for sentence in _SENTENCE.findall(text.strip()):
        events += _phrase(sentence)
        events.append(Rest(STOP_REST_MS))
    return _with_short_rests(events)


def _phrase(sentence: str) -> list[Note | Rest]:
    words = _WORD.findall(sentence)
    asks = sentence.rstrip().endswith(("?", "？"))
    events: list[Note | Rest] = []
    for index, (word, gap) in enumerate(words):
        position = index / max(1, len(words) - 1)
        events += _notes(word, extra=1 if gap else 0, step=_step(word, position, asks=asks))
        if gap.strip(" -\"'’“”()[]"):
            events.append(Rest(COMMA_REST_MS))
    return events


def _step(word: str, position: float, *, asks: bool) -> int:
    """Pitch falls along a sentence and rises at the end of a question, with small variations between words."""
    if asks and position >= 1:
        return 4
    return round(2 - 4 * position) + zlib.crc32(word.encode(errors="replace")) % 3 - 1


def _notes(word: str, *, extra: int, step: int) -> Iterator[Note]:
    pieces = _syllables(word.lower())
    for index, piece in enumerate(pieces):
        length = weight(piece) + (extra if index == len(pieces) - 1 else 0)
        first = Note(_vowel(piece), piece[0] in _HISSES, min(length, LONGEST_NOTE), step, stressed=index == 0)
        yield first
        for remaining in range(length - LONGEST_NOTE, 0, -LONGEST_NOTE):
            yield first._replace(hiss=False, stressed=False, weight=min(remaining, LONGEST_NOTE), step=step - 1)


def _syllables(word: str) -> Sequence[str]:
    """Latin words split after vowels, a final consonant joining the previous syllable; wide scripts by character."""
    if not word.isascii() and weight(word) > len(word):
        return word
    pieces: list[str] = _SYLLABLE.findall(word)
    if len(pieces) > 1 and not set(pieces[-1]) & set("aeiouyáàâäãåéèêëíìîïóòôöõúùûüæøœ"):
        pieces[-2:] = ["".join(pieces[-2:])]
    return pieces


def _vowel(piece: str) -> int:
    for character in piece:
        if (index := _VOWELS.find(unicodedata.normalize("NFD", character)[0])) >= 0:
            return index
    return ord(piece[-1]) % len(_VOWELS)


def _with_short_rests(events: list[Note | Rest]) -> list[Note | Rest]:
    notes_ms = sum(event.weight for event in events if isinstance(event, Note)) * MS_PER_CHARACTER
    rests_ms = sum(event.milliseconds for event in events if isinstance(event, Rest))
    shrink = min(1.0, REST_SHARE * notes_ms / rests_ms) if rests_ms else 1.0
    return [Rest(int(event.milliseconds * shrink)) if isinstance(event, Rest) else event for event in events]
