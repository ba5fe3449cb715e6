"""The text-to-speech models, as data. Adding a model is one entry in `MODELS`; nothing else needs to change.

Fields, defaults, ranges and voices are those of the vendor's model pages. Limits that the pages leave open are
marked with where they come from.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

VOICES: Final[dict[str, str]] = {
    "Zephyr": "Bright",
    "Puck": "Upbeat",
    "Charon": "Informative",
    "Kore": "Firm",
    "Fenrir": "Excitable",
    "Leda": "Youthful",
    "Orus": "Firm",
    "Aoede": "Breezy",
    "Callirrhoe": "Easy-going",
    "Autonoe": "Bright",
    "Enceladus": "Breathy",
    "Iapetus": "Clear",
    "Umbriel": "Easy-going",
    "Algieba": "Smooth",
    "Despina": "Smooth",
    "Erinome": "Clear",
    "Algenib": "Gravelly",
    "Rasalgethi": "Informative",
    "Laomedeia": "Upbeat",
    "Achernar": "Soft",
    "Alnilam": "Firm",
    "Schedar": "Even",
    "Gacrux": "Mature",
    "Pulcherrima": "Forward",
    "Achird": "Friendly",
    "Zubenelgenubi": "Casual",
    "Vindemiatrix": "Gentle",
    "Sadachbia": "Lively",
    "Sadaltager": "Knowledgeable",
    "Sulafat": "Warm",
}
"""The thirty prebuilt voices, case-sensitive, each with Google's one-word character for it."""

GOOGLE_TEXT_BYTES: Final = 4_000
"""UTF-8 bytes of text a request. One of Google's two back ends stops there; which one Segmind uses isn't published."""


@dataclass(frozen=True, slots=True)
class SpeechModel:
    """One model: what it takes, what it costs, how long it usually needs."""

    slug: str
    """The last part of the endpoint's path."""
    title: str
    default_voice: str
    """The voice that the vendor uses when `voice_1` is left out."""
    voices: tuple[str, ...]
    """Every voice accepted for `voice_1` and `voice_2`."""
    price: Decimal
    """US dollars a call, the vendor's published average. Used only where an answer names no cost."""
    mean_seconds: float
    """The vendor's published average seconds a call."""
    understands_tags: bool
    """Whether inline tags such as `[whispers]` steer the voice; a model that doesn't may read them aloud."""
    temperature_range: tuple[float, float] = (0.0, 2.0)
    default_temperature: float = 0.4
    max_text_bytes: int = GOOGLE_TEXT_BYTES


MODELS: Final[dict[str, SpeechModel]] = {
    model.slug: model
    for model in (
        SpeechModel(
            slug="gemini-3.1-flash-tts",
            title="Gemini 3.1 Flash TTS",
            default_voice="Kore",
            voices=tuple(VOICES),
            price=Decimal("0.0067"),
            mean_seconds=7.7,
            understands_tags=True,
        ),
        SpeechModel(
            slug="gemini-2.5-flash-tts",
            title="Gemini 2.5 Flash TTS",
            default_voice="Zephyr",
            voices=tuple(VOICES),
            price=Decimal("0.005"),
            mean_seconds=18.4,
            understands_tags=False,
        ),
    )
}

DEFAULT_MODEL: Final = "gemini-3.1-flash-tts"
"""The model of a line that names none."""
