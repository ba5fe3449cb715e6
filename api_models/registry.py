"""The text-to-speech models, as data. To add a model, add an entry to `MODELS`.

Fields, defaults, ranges and voices are from the vendor's model pages; other limits name their source.
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
"""The thirty prebuilt voices, case-sensitive, with Google's description of each."""

GOOGLE_TEXT_BYTES: Final = 4_000
"""UTF-8 bytes of text per request: the limit of one of Google's two back ends. Segmind does not say which it uses."""


@dataclass(frozen=True, slots=True)
class SpeechModel:
    """A model's inputs, price and typical latency."""

    slug: str
    """Last segment of the endpoint's path."""
    title: str
    default_voice: str
    """The vendor's default for `voice_1`."""
    voices: tuple[str, ...]
    """Valid values of `voice_1` and `voice_2`."""
    price: Decimal
    """US dollars per call, the vendor's published average. Used only if a response has no cost."""
    mean_seconds: float
    """The vendor's published average seconds per call."""
    understands_tags: bool
    """Whether inline tags such as `[whispers]` control the voice; other models may read them aloud."""
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
"""For jobs without a model."""
