"""Turns a request as it was written into one as it is spoken, before it is planned, priced or fingerprinted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from api_models.registry import MODELS
from api_models.speech import JobRequest
from api_models.wording import Clean, Wording
from worker.text.cleaning import cleaned, detected
from worker.text.errors import TextError
from worker.text.lexicon.edits import Changed, Moves
from worker.text.lexicon.lexicon import Lexicon
from worker.text.marked import Marked
from worker.text.tags import in_dialect, squared, without

Request = TypeVar("Request", bound=JobRequest)
FindLexicon = Callable[[str], Lexicon]
"""Returns a lexicon by what a request names. Raises UnknownLexiconError."""


class UnknownLexiconError(TextError):
    """No lexicon has this name."""

    field = "lexicon"


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a request changes to: the text to speak, and what is kept of the way there."""

    text: str
    lexicon: str | None
    """With its version."""
    wording: str | None
    """`Wording`, stored; None if the text is as it was."""
    hits: int = 0
    """Places where rules of the lexicon apply."""
    unapplied: Mapping[str, int] = field(default_factory=dict)
    """Markup without effect."""
    is_cleaned: bool = False
    """Whether markup was taken out."""

    def applied_to(self, request: Request) -> Request:
        changes = {"text": self.text, "lexicon": self.lexicon, "wording": self.wording}
        return request.model_copy(update=changes)


@dataclass(frozen=True, slots=True)
class Preparation:
    """What texts are prepared with."""

    find_lexicon: FindLexicon
    max_text_bytes: int | None = None
    """The operator's limit of one call, in UTF-8 bytes; None for the model's."""

    def __call__(self, text: str, request: JobRequest) -> Prepared:
        """Prepare a text by the fields of its request. Raises TextError."""
        marked = Marked(text) if request.clean is None else _cleaned(text, request)
        lexicon = None if request.lexicon is None else self.find_lexicon(request.lexicon)
        changed = (
            Changed(marked.text, marked.edits) if lexicon is None else lexicon.apply(marked.text, "", marked.edits)
        )
        self._check_size(changed.text, request)
        label = lexicon.label if lexicon is not None else ""
        wording = _wording(text, label, marked, changed) if changed.text != text or marked.pauses else None
        if wording is not None and wording.has_parts and request.voice_2 is not None:
            raise TextError("has breaks or voices, and two speakers share one request", "give it one voice")
        stored = None if wording is None else wording.stored()
        return Prepared(
            changed.text, label or None, stored, len(changed.last), marked.unapplied, is_cleaned=marked.text != text
        )

    def _check_size(self, text: str, request: JobRequest) -> None:
        limit = self.max_text_bytes or MODELS[request.model].max_text_bytes
        if request.voice_2 is not None and len(text.encode()) > limit:
            message = f"becomes longer than the {limit:,} bytes that two speakers share in one request"
            raise TextError(message, "divide the text, or give it one voice")

    def request(self, request: Request) -> Request:
        """Prepare a request. Raises TextError."""
        return self(request.text, request).applied_to(request) if request.is_to_be_prepared else request


def _cleaned(text: str, request: JobRequest) -> Marked:
    """Take the markup out, and write tags such as `[sigh]` as the model has them; it gets none if it has none."""
    model, how = MODELS[request.model], request.clean
    if how is None:
        return Marked(text)
    is_ssml = how is Clean.SSML or (how is Clean.AUTO and detected(text) is Clean.SSML)
    source = text if is_ssml else squared(text)
    found = cleaned(source if model.understands_tags else without(source), how)
    return replace(found, text=in_dialect(found.text, model.tags))


def _wording(original: str, label: str, marked: Marked, changed: Changed) -> Wording:
    """Pauses and voices move with the words that the lexicon changed."""
    moved = Moves(changed.last)
    pauses = tuple((moved(place), seconds) for place, seconds in marked.pauses)
    voices = tuple((moved(place), voice) for place, voice in marked.voices)
    return Wording(original, label, pauses, voices)
