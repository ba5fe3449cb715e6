"""Files that hold a lexicon, by their names or their beginnings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import PurePath
from typing import Final

from api_models.lexicons import MAX_FILE_BYTES, MAX_RULES, LexiconRule
from api_models.problems import Fault, InvalidInputError
from worker.text.formats import dictionary, pls, table


class Form(StrEnum):
    """A format of lexicons."""

    CSV = "csv"
    JSON = "json"
    PLS = "pls"
    """The W3C's Pronunciation Lexicon Specification 1.0."""
    ELEVENLABS = "elevenlabs"
    """A pronunciation dictionary of ElevenLabs, as JSON."""


SUFFIXES: Final[Mapping[str, Form]] = {
    ".csv": Form.CSV,
    ".tsv": Form.CSV,
    ".json": Form.JSON,
    ".pls": Form.PLS,
    ".xml": Form.PLS,
}


def read(content: bytes, name: str, form: Form | None = None) -> list[LexiconRule]:
    """Return the rules of a file. Raises InvalidInputError: with each error and its place."""
    if len(content) > MAX_FILE_BYTES:
        message = f"is {len(content):,} bytes, over the limit of {MAX_FILE_BYTES:,}; divide it"
        raise InvalidInputError(name, [Fault(message=message)])
    form = form or SUFFIXES.get(PurePath(name).suffix.lower()) or _guessed(content)
    rules = pls.read(content, name) if form is Form.PLS else _of_text(content, name, form)
    if len(rules) > MAX_RULES:
        message = f"holds {len(rules):,} rules, over the limit of {MAX_RULES:,}; divide it"
        raise InvalidInputError(name, [Fault(message=message)])
    return rules


def _of_text(content: bytes, name: str, form: Form) -> list[LexiconRule]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidInputError(name, [Fault(line=line, message="is not UTF-8; save it as UTF-8")]) from None
    return table.read(text, name) if form is Form.CSV else dictionary.read(text, name)


def _guessed(content: bytes) -> Form:
    start = content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    return {b"<": Form.PLS, b"{": Form.JSON, b"[": Form.JSON}.get(start, Form.CSV)


_WRITERS: Final[Mapping[Form, Callable[[Sequence[LexiconRule]], str]]] = {
    Form.CSV: table.write,
    Form.JSON: dictionary.write,
    Form.PLS: pls.write,
}


def write(rules: Sequence[LexiconRule], form: Form, name: str) -> str:
    return dictionary.write_elevenlabs(rules, name) if form is Form.ELEVENLABS else _WRITERS[form](rules)
