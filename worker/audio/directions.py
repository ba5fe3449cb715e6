"""Separates text that is certainly spoken from possible directions to the voice. Knows words, not sound.

Directions (a persona, notes before a transcript, labels, tags, comments) aren't spoken, and nothing marks them
reliably: text that looks like one counts as possible, not as certain. Something remains certain unless the text
consists of tags alone.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from typing import Final

from worker.audio import marked_blocks
from worker.audio.direction_words import (
    MANNERS,
    NOTE_LABELS,
    PLEASE,
    ROLES,
    SPEECH_VERBS,
    SPOKEN_ELEMENTS,
    SPOKEN_LABELS,
    TEXT_ELEMENTS,
    VOICE_WORDS,
    WIDE_DIRECTIONS,
)

OPENING_CHARACTERS: Final = 200
MAX_PROMPT_CHARACTERS: Final = 1_000
"""Before the first colon of a text that begins as an instruction does."""
MAX_PHRASE_CHARACTERS: Final = 60
"""Before the first colon of any other text, without the end of a sentence: an instruction in another language."""
MAX_LABEL_CHARACTERS: Final = 40
"""Before the first colon of a line: the name of who speaks."""
MAX_ASIDE_CHARACTERS: Final = 600
"""Between two brackets."""

_COLON: Final = r"(?: ?[:：](?!\d|//)|(?<![\d ]) ?[:：](?!//))"
"""None that stands between two digits: that is a time. None of an address."""
_BLANKS: Final = re.compile(r"[^\S\n]+")
_BREAKS: Final = re.compile(r"\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_LINES: Final = re.compile(r"\n ?\n[ \n]*")
_MARKED: Final = re.compile(
    r"[\[(<{（【*_#`:：\n\r\"&\x0b\x0c\x1c-\x1e\x85\u2028\u2029]|//|/\*|^\s*[;%]|\bBEGIN\b|\bSTART\b"
)
"""Without any of these, a text has no direction but a beginning that reads like one."""
_TAG: Final = re.compile(rf"\[[^\[\]]{{1,{MAX_ASIDE_CHARACTERS}}}\]|【[^【】]{{1,{MAX_ASIDE_CHARACTERS}}}】")
_ASIDE: Final = re.compile(
    rf"\([^()]{{1,{MAX_ASIDE_CHARACTERS}}}\)|（[^（）]{{1,{MAX_ASIDE_CHARACTERS}}}）|\{{[^{{}}]{{1,{MAX_ASIDE_CHARACTERS}}}\}}"
    r"|(?<![\w*])\*[^*\n]{1,120}\*(?![\w*])"
)
_MARKUP: Final = re.compile(rf"<[^<>]{{1,{MAX_ASIDE_CHARACTERS}}}>")
_ELEMENT_NAME: Final = re.compile(r"<(?P<closes>/?)(?P<name>[A-Za-z][\w.:-]*)")
_HEADING: Final = re.compile(
    r"^ ?(?:#{1,6} ?(?P<hash>[^\n]*)|(?:\*\*|__)(?P<bold>[^*_\n]{1,60})(?:\*\*|__) ?[:：]? ?"
    r"|[-=*_~]{3,} ?(?P<rule>[^-=*_~\n]{0,60})[-=*_~]* ?|```\w{0,20} ?)$",
    re.MULTILINE,
)
_SPOKEN_HEADING: Final = re.compile(rf"\W*(?:{SPOKEN_LABELS})\W*", re.IGNORECASE)
_SPOKEN_LABEL: Final = re.compile(
    rf"(?:^|(?<=[.!?。！？]))[ \t\"'*_>-]*(?:(?:{PLEASE}) )?(?:{SPOKEN_LABELS})[*_ \t]*{_COLON}[*_]*",
    re.IGNORECASE | re.MULTILINE,
)
_NOTE_LABEL: Final = re.compile(rf"^[ \t*_>-]*(?:{NOTE_LABELS})[*_ \t]*{_COLON}", re.IGNORECASE)
_LABEL: Final = re.compile(rf"\A[\s*_>-]*[^\W\d_][^:：\n]{{0,{MAX_LABEL_CHARACTERS - 1}}}?{_COLON}")
_START: Final = rf"\A[\s\"'“(*_-]*(?:(?:{PLEASE})[,\s]+)*"
_INSTRUCTION: Final = re.compile(rf"{_START}(?:(?:{SPEECH_VERBS}|{ROLES})\b)", re.IGNORECASE)
_MANNER: Final = re.compile(rf"{_START}(?:(?:{MANNERS})\b)", re.IGNORECASE)
_VOICE: Final = re.compile(rf"\b(?:{VOICE_WORDS})\b|{WIDE_DIRECTIONS}", re.IGNORECASE)
_PROMPT: Final = re.compile(
    rf"{_START}(?:{SPEECH_VERBS}|{ROLES}|{MANNERS})\b[^:：]{{0,{MAX_PROMPT_CHARACTERS}}}?{_COLON}", re.IGNORECASE
)
_PHRASE: Final = re.compile(rf"\A\s*[^\n:：.!?。！？]{{1,{MAX_PHRASE_CHARACTERS}}}{_COLON}")
_QUOTED: Final = re.compile(r"[\"“„«「『]([^\"“”„«»「」『』]{2,})[\"”“»」』]|(?<!\w)['‘]([^'‘’\n]{2,})['’](?!\w)")
_ARROW: Final = r" (?:>>+|=+>|-+>|→|⇒|\|+) "
_TEXT_KEYS: Final = re.compile(rf"(?:{SPOKEN_LABELS}|text\w*|transcript\w*)", re.IGNORECASE)


def certain(text: str) -> str:
    """The part of a text that is spoken whatever the voice takes for a direction."""
    if not _MARKED.search(text) and not _INSTRUCTION.match(text[:OPENING_CHARACTERS]):
        return text.strip()
    words = _of_elements(_of_json(marked_blocks.of_blocks(marked_blocks.without_comments(_squeezed(text)))))
    words = html.unescape(_squeezed(_ASIDE.sub(" ", _TAG.sub(" ", words))))
    return _unlabelled(_without_instruction(_after_label(_of_sections(words))))


def pieces(text: str) -> list[str]:
    """The text split wherever a direction could end: any piece alone may be all that is spoken."""
    bare = marked_blocks.without_edges(marked_blocks.without_comments(text, "\n"), "\n")
    words = _squeezed(_ASIDE.sub("\n", _TAG.sub("\n", _MARKUP.sub("\n", bare))))
    return [piece for piece in re.split(rf"\n+|{_COLON}|[\"“”„«»「」『』]|{_ARROW}", words) if _says(piece)]


def _squeezed(text: str) -> str:
    """Runs of blanks as one, two blank lines as one: no pattern has to try a thousand of them."""
    return _LINES.sub("\n\n", _BLANKS.sub(" ", _BREAKS.sub("\n", text)))


def _of_json(text: str) -> str:
    """Of a JSON document: what stands under a name such as "text", else the shortest of its strings."""
    if text.lstrip()[:1] not in {"{", "["}:
        return text
    try:
        strings = list(_strings(json.loads(text), ""))
    except (ValueError, RecursionError):
        return text
    spoken = [value for name, value in strings if _TEXT_KEYS.fullmatch(name)]
    return "\n".join(spoken) or min((value for _, value in strings), key=len, default=text)


def _strings(node: object, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, str):
        yield name, node
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from _strings(value, str(key))
    elif isinstance(node, list):
        for value in node:
            yield from _strings(value, name)


def _of_elements(text: str) -> str:
    """Without markup: of an element that is named after the text its content, else all but what may be a direction."""
    elements = list(_elements(text))
    said = [text[inner.start : inner.stop] for name, _, inner in elements if name in TEXT_ELEMENTS]
    kept = "\n".join(said) or _without(text, [whole for name, whole, _ in elements if name not in SPOKEN_ELEMENTS])
    bare = _MARKUP.sub(" ", kept)
    return bare if _says(_TAG.sub(" ", bare)) else _MARKUP.sub(" ", text)


def _elements(text: str) -> Iterator[tuple[str, range, range]]:
    """Each element that is closed: its name, where it lies, and where its content does."""
    opened: dict[str, list[re.Match[str]]] = {}
    for tag in _MARKUP.finditer(text):
        name = _ELEMENT_NAME.match(tag[0])
        if name is None:
            continue
        if not name["closes"]:
            opened.setdefault(name["name"].lower(), []).append(tag)
        elif begun := opened.get(name["name"].lower()):
            first = begun.pop()
            yield name["name"].lower(), range(first.start(), tag.end()), range(first.end(), tag.start())


def _without(text: str, cuts: list[range]) -> str:
    kept, at = [], 0
    for cut in sorted(cuts, key=lambda cut: cut.start):
        kept.append(text[at : max(at, cut.start)])
        at = max(at, cut.stop)
    return "\n".join([*kept, text[at:]])


def _of_sections(text: str) -> str:
    """Of a text with headings: what stands under the one for the transcript, else the shortest section."""
    headings = list(_HEADING.finditer(text))
    if not headings:
        return text
    ends = [*(heading.start() for heading in headings[1:]), len(text)]
    sections = [
        (heading["hash"] or heading["bold"] or heading["rule"] or "", text[heading.end() : end])
        for heading, end in zip(headings, ends, strict=True)
    ]
    for title, body in sections:
        if _says(body) and _SPOKEN_HEADING.fullmatch(title):
            return body
    bodies = [body for body in (text[: headings[0].start()], *(body for _, body in sections)) if _says(body)]
    return min(bodies, key=_letters, default=text)


def _after_label(text: str) -> str:
    """What follows "Transcript:" or the like; a note that follows it is left out again."""
    found = _SPOKEN_LABEL.search(text)
    rest = text[found.end() :] if found else text
    return rest if _says(rest) else text


def _without_instruction(text: str) -> str:
    if _NOTE_LABEL.match(text) and _says(rest := "\n".join(_without_notes(text.splitlines()))):
        return rest
    rest = _PROMPT.sub("", text, count=1)
    if rest == text and not any(map(_LABEL.match, text.splitlines()[1:])):
        # With names before other lines too, the phrase is one itself.
        rest = _PHRASE.sub("", text, count=1)
    if rest != text and _says(rest):
        return rest
    if _INSTRUCTION.match(text) and (said := [one or other for one, other in _QUOTED.findall(text)]):
        return "\n".join(said)
    return _without_paragraphs(text)


def _without_paragraphs(text: str) -> str:
    """Without paragraphs, or a first line, that read like instructions, where anything is left."""
    paragraphs = [part for part in re.split(r"\n+ ?\n", text.strip()) if _says(part)]
    kept = [part for at, part in enumerate(paragraphs) if not _instructs(part, is_first=at == 0)]
    if kept and len(kept) < len(paragraphs):
        return "\n\n".join(kept)
    first, newline, rest = text.strip().partition("\n")
    return rest if newline and _says(rest) and _INSTRUCTION.match(first) and not _LABEL.match(rest) else text


def _instructs(paragraph: str, *, is_first: bool) -> bool:
    speaks_of_voice = _VOICE.search(paragraph) is not None
    if _INSTRUCTION.match(paragraph):
        return is_first or speaks_of_voice
    return speaks_of_voice and (is_first or _MANNER.match(paragraph) is not None)


def _unlabelled(text: str) -> str:
    """Lines without the names before them, without notes, and without lines before the first that has a name."""
    lines = text.splitlines()
    spoken = [line for line in _without_notes(lines) if _says(line)] or lines
    labelled = [bool(_LABEL.match(line)) for line in spoken]
    if any(labelled) and not labelled[0]:
        spoken = spoken[labelled.index(True) :]
    return "\n".join(_LABEL.sub("", line).strip() for line in spoken)


def _without_notes(lines: list[str]) -> Iterator[str]:
    """Lines that are no note, nor the continuation of one up to a blank line or another label."""
    is_note = False
    for line in lines:
        if _LABEL.match(line) or not line.strip():
            is_note = _NOTE_LABEL.match(line) is not None
        if not is_note:
            yield line


def _says(text: str) -> bool:
    return any(map(str.isalnum, text))


def _letters(text: str) -> int:
    return sum(map(str.isalnum, text))
