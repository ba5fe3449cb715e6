"""OpenAI's model and voice names, and what each means here. Data: the settings change any row or add others.

Voices are matched by Google's one-word character of each voice, not by resemblance; see `docs/openai.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from api_models.hints import did_you_mean, quoted
from api_models.registry import MODELS, VOICES

OPENAI_MODELS: Final[Mapping[str, str]] = {
    "tts-1": "gemini-2.5-flash-tts",
    "tts-1-1106": "gemini-2.5-flash-tts",
    "tts-1-hd": "gemini-3.1-flash-tts",
    "tts-1-hd-1106": "gemini-3.1-flash-tts",
    "gpt-4o-mini-tts": "gemini-3.1-flash-tts",
    "gpt-4o-mini-tts-2025-03-20": "gemini-3.1-flash-tts",
    "gpt-4o-mini-tts-2025-12-15": "gemini-3.1-flash-tts",
}
OPENAI_VOICES: Final[Mapping[str, str]] = {
    "alloy": "Kore",
    "ash": "Orus",
    "ballad": "Algieba",
    "cedar": "Achird",
    "coral": "Sulafat",
    "echo": "Charon",
    "fable": "Puck",
    "marin": "Aoede",
    "nova": "Zephyr",
    "onyx": "Algenib",
    "sage": "Vindemiatrix",
    "shimmer": "Achernar",
    "verse": "Fenrir",
}
MAX_NAME_CHARACTERS: Final = 64
MAX_LISTED: Final = 16
"""Names in one message."""


@dataclass(frozen=True, slots=True)
class NameTable:
    """Names that clients may use, each with the name of the registry it stands for."""

    kind: str
    """`model` or `voice`, for messages."""
    meanings: Mapping[str, str]

    def meaning(self, name: str) -> str | None:
        """Return the registry's name, whatever the case of `name`; None for an unknown one."""
        return self._folded().get(name.strip().casefold())

    def unknown(self, name: str) -> str:
        """Describe an unknown name, with a suggestion."""
        known = f"known: {', '.join(self.meanings)}" if len(self.meanings) <= MAX_LISTED else f"{self.route} lists all"
        return f"no {self.kind} {quoted(name)}{did_you_mean(name, self.meanings)} ({known})"

    @property
    def route(self) -> str:
        return f"GET /openai/v1/audio/{self.kind}s"

    def _folded(self) -> dict[str, str]:
        return {name.casefold(): meaning for name, meaning in self.meanings.items()}


def model_names(changes: str = "") -> NameTable:
    """The table of models with the setting's changes. Raises ValueError for a malformed or unknown one."""
    return _table("model", OPENAI_MODELS, MODELS, changes)


def voice_names(changes: str = "") -> NameTable:
    """The table of voices with the setting's changes. Raises ValueError as `model_names`."""
    return _table("voice", OPENAI_VOICES, VOICES, changes)


def _table(kind: str, defaults: Mapping[str, str], own: Mapping[str, object], changes: str) -> NameTable:
    """OpenAI's names come first; the registry's own names always mean themselves."""
    folded = {name.casefold(): name for name in own}
    changed: dict[str, str] = {}
    for entry in filter(None, (part.strip() for part in changes.split(","))):
        name, equals, target = (part.strip() for part in entry.partition("="))
        if not equals or not 0 < len(name) <= MAX_NAME_CHARACTERS or not name.isprintable():
            raise ValueError(f"{quoted(entry)} is not NAME={kind.upper()}")
        if target.casefold() not in folded:
            raise ValueError(f"no {kind} {quoted(target)}{did_you_mean(target, own)} (known: {', '.join(own)})")
        if name.casefold() in folded:
            raise ValueError(f"{quoted(name)} is a {kind} of the registry and cannot be renamed")
        changed[name] = folded[target.casefold()]
    kept = {name: target for name, target in defaults.items() if name not in changed}
    return NameTable(kind, {**kept, **changed, **{name: name for name in own}})
