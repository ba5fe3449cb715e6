"""Turns a request as it was written into one as it is spoken, before it is planned, priced or fingerprinted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from api_models.registry import MODELS
from api_models.speech import JobRequest
from api_models.wording import Wording
from worker.text.errors import TextError
from worker.text.lexicon.lexicon import Lexicon

Request = TypeVar("Request", bound=JobRequest)
FindLexicon = Callable[[str], Lexicon]
"""Returns a lexicon by what a request names. Raises UnknownLexiconError."""


class UnknownLexiconError(TextError):
    """No lexicon has this name."""


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
        if request.lexicon is None:
            return Prepared(text, None, None)
        lexicon = self.find_lexicon(request.lexicon)
        changed = lexicon.apply(text)
        self._check_size(changed.text, request)
        wording = Wording(text, lexicon.label).stored() if changed.edits else None
        return Prepared(changed.text, lexicon.label, wording, len(changed.edits))

    def _check_size(self, text: str, request: JobRequest) -> None:
        limit = self.max_text_bytes or MODELS[request.model].max_text_bytes
        if request.voice_2 is not None and len(text.encode()) > limit:
            message = f"becomes longer than the {limit:,} bytes that two speakers share in one request"
            raise TextError(message, "divide the text, or give it one voice")

    def request(self, request: Request) -> Request:
        """Prepare a request. Raises TextError."""
        return self(request.text, request).applied_to(request) if request.is_to_be_prepared else request
