"""The text-to-speech models of this process: those that are built in, and those of the user's file.

`MODELS` and `VOICES` read like dictionaries. Their content is read at the first use, and replaced as a whole when the
settings name a file, so nothing may be derived from them while modules are imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Final

from api_models.model_file import built_in_models
from api_models.speech_model import TYPICAL_CHARACTERS, Price, SpeechModel, today

DEFAULT_MODEL: Final = "gemini-3.1-flash-tts"
"""For jobs without a model."""


@dataclass(frozen=True)
class _Content:
    models: Mapping[str, SpeechModel]
    own: frozenset[str]
    """Slugs that the user's file added or changed."""

    @cached_property
    def voices(self) -> dict[str, str]:
        """Every voice and its character; where models disagree, the first model's."""
        found: dict[str, str] = {}
        for model in self.models.values():
            for voice, character in model.descriptors.items():
                found.setdefault(voice, character)
        return found

    @cached_property
    def folded_models(self) -> dict[str, str]:
        return {slug.casefold(): slug for slug in self.models}

    @cached_property
    def folded_voices(self) -> dict[str, str]:
        return {voice.casefold(): voice for voice in self.voices}


class Models(Mapping[str, SpeechModel]):
    """By slug, in the order of the files."""

    def __init__(self) -> None:
        self._content: _Content | None = None

    @property
    def content(self) -> _Content:
        if self._content is None:
            self._content = _Content(built_in_models(), frozenset())
        return self._content

    def install(self, own: Mapping[str, SpeechModel]) -> None:
        """Use the built-in models and `own`, which replace built-in ones of the same slug."""
        content = self._content
        if not own and (content is None or not content.own):
            return  # nothing changes, and nothing need be read
        self._content = _Content({**built_in_models(), **own}, frozenset(own))

    @property
    def own(self) -> frozenset[str]:
        return self.content.own

    def named(self, name: str) -> str | None:
        """The slug of a name in any case, with spaces or underscores for hyphens."""
        return self.content.folded_models.get("-".join(name.casefold().replace("_", " ").split())) or (
            name if name in self.content.models else self.content.folded_models.get(name.strip().casefold())
        )

    def price_of(self, slug: str, characters: int = TYPICAL_CHARACTERS, calls: int = 1) -> Decimal:
        """Today's list price of `calls` with `characters` in all; zero for a model without an entry."""
        known = self.content.models.get(slug)
        return Decimal(0) if known is None else known.price_today.of(characters, calls)

    def prices(self, day: date | None = None) -> tuple[tuple[str, Price], ...]:
        """The list price of each model on a day, by default today."""
        day = day or today()
        return tuple((slug, model.price_on(day)) for slug, model in self.content.models.items())

    @property
    def dearest(self) -> SpeechModel:
        """The model whose typical call costs most today."""
        return max(self.content.models.values(), key=lambda model: model.price)

    def __getitem__(self, slug: str) -> SpeechModel:
        return self.content.models[slug]

    def __iter__(self) -> Iterator[str]:
        return iter(self.content.models)

    def __len__(self) -> int:
        return len(self.content.models)

    def __contains__(self, slug: object) -> bool:
        return slug in self.content.models


class Voices(Mapping[str, str]):
    """The voices of all models, case-sensitive, with the character of each."""

    def named(self, name: str) -> str | None:
        """The voice of a name in any case."""
        return MODELS.content.folded_voices.get(name.strip().casefold())

    def __getitem__(self, name: str) -> str:
        return MODELS.content.voices[name]

    def __iter__(self) -> Iterator[str]:
        return iter(MODELS.content.voices)

    def __len__(self) -> int:
        return len(MODELS.content.voices)

    def __contains__(self, name: object) -> bool:
        return name in MODELS.content.voices


MODELS: Final = Models()
VOICES: Final = Voices()
