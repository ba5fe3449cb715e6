"""Lexicons: rules that say how words are pronounced."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from api_models.hints import quoted

MAX_RULES: Final = 20_000
MAX_MATCH_CHARACTERS: Final = 200
MAX_SAY_CHARACTERS: Final = 500
MAX_FILE_BYTES: Final = 8_000_000
LANGUAGE: Final = re.compile(r"[A-Za-z]{2,8}(?:[-_][A-Za-z0-9]{1,8})*")
"""BCP 47, as far as it is compared."""


class Reading(StrEnum):
    """What a word is read as."""

    CHARACTERS = "characters"
    """Letter by letter, digit by digit."""
    DIGITS = "digits"
    """Digits one by one; other characters as they are."""


class Phoneme(BaseModel):
    """A phonetic spelling. No model takes it: it is kept for export."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: Annotated[str, Field(min_length=1, max_length=MAX_SAY_CHARACTERS)]
    alphabet: Annotated[str, Field(max_length=64)] = ""
    """Such as `ipa` or `x-sampa`; empty for the file's own."""
    prefer: bool = False


class LexiconRule(BaseModel):
    """How one word or phrase is spoken: one of `say`, `spell` and `as`; with phonemes alone it has no effect."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    match: str
    """The word or phrase as it is written."""
    say: str = ""
    """The words to speak in its place."""
    spell: bool = False
    """Speak it letter by letter."""
    reading: Annotated[Reading | None, Field(alias="as")] = None
    """Speak it as this kind of thing."""
    whole_word: bool = True
    """Leave longer words that contain it alone. Has no effect in scripts without spaces."""
    case: bool = False
    """Match upper and lower case exactly."""
    language: str = ""
    """Applies to texts in this language only (BCP 47), and where the language is unknown."""
    phonemes: tuple[Phoneme, ...] = ()
    others: tuple[str, ...] = ()
    """Further aliases of an imported lexicon."""
    role: str = ""
    examples: tuple[str, ...] = ()

    @field_validator("match", "say", mode="before")
    @classmethod
    def _on_one_line(cls, value: object) -> object:
        return " ".join(value.split()) if isinstance(value, str) else value

    @field_validator("match")
    @classmethod
    def _matchable(cls, value: str) -> str:
        if not value:
            raise PydanticCustomError("match", "is empty; give the word as it is written in texts")
        if len(value) > MAX_MATCH_CHARACTERS:
            raise PydanticCustomError("match", f"exceeds {MAX_MATCH_CHARACTERS} characters; match a shorter phrase")
        _check_encodable(value)
        if unicodedata.combining(value[0]):
            raise PydanticCustomError("match", "begins with a combining character; add the letter before it")
        return value

    @field_validator("say")
    @classmethod
    def _speakable(cls, value: str) -> str:
        if len(value) > MAX_SAY_CHARACTERS:
            raise PydanticCustomError("say", f"exceeds {MAX_SAY_CHARACTERS} characters; shorten it")
        _check_encodable(value)
        if value and not any(map(str.isalnum, value)):
            raise PydanticCustomError("say", "has no letter or digit to speak; give words")
        return value

    @field_validator("language")
    @classmethod
    def _language_tag(cls, value: str) -> str:
        if value and not LANGUAGE.fullmatch(value):
            raise PydanticCustomError(
                "language", "{tag} is not a language tag; use one such as en or pt-BR", {"tag": quoted(value)}
            )
        return value

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [bool(self.say), self.spell, self.reading is not None]
        if sum(ways) > 1:
            raise PydanticCustomError("rule", "has more than one of say, spell and as; keep one")
        if not any(ways) and not self.phonemes:
            raise PydanticCustomError("rule", "has neither say, spell nor as; give the words to speak as say")
        return self

    @property
    def is_applied(self) -> bool:
        """False for a rule that has phonemes alone."""
        return bool(self.say or self.spell or self.reading)

    def stored(self) -> dict[str, Any]:
        return self.model_dump(mode="json", exclude_defaults=True, by_alias=True)


def _check_encodable(value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise PydanticCustomError("text", "contains half of a surrogate pair; write the whole character") from None
    if "\x00" in value:
        raise PydanticCustomError("text", "contains a NUL character; remove it")


class LexiconIn(BaseModel):
    """All rules of a lexicon."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: Annotated[list[LexiconRule], Field(min_length=1, max_length=MAX_RULES)]


class LexiconSummary(BaseModel):
    """A lexicon and the number of its rules."""

    name: str
    version: int
    rules: int
    unapplied: Annotated[int, Field(description="Rules with phonemes alone, which no model can speak.")]
    created_at: datetime


class LexiconList(BaseModel):
    """The newest version of each lexicon."""

    lexicons: list[LexiconSummary]


class LexiconView(BaseModel):
    """One version of a lexicon."""

    name: str
    version: int
    created_at: datetime
    rules: list[dict[str, Any]]
