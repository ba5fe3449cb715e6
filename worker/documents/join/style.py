"""How a recording sounds: pauses, levels and what a publisher requires, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from worker.documents.join.delivery import ACX, Delivery
from worker.documents.plan.plan import Gap

GAP_SECONDS: Final[Mapping[Gap, float]] = {
    Gap.NONE: 0.05,
    Gap.SENTENCE: 0.2,
    Gap.PARAGRAPH: 0.5,
    Gap.HEADING: 0.8,
    Gap.REPLY: 0.25,
    Gap.THOUGHT: 0.6,
    Gap.SCENE: 1.2,
    Gap.CHAPTER: 2.0,
    Gap.END: 0.0,
}
"""Silence between the kept edges of two parts; between turns, from the last sound to the first."""
BETWEEN_TURNS: Final = frozenset({Gap.REPLY, Gap.THOUGHT})
LEAD_SECONDS: Final = 0.05
"""Kept before the first sound of a take, so that no consonant is cut."""
TAIL_SECONDS: Final = 0.12
"""Kept behind its last sound, so that it can die away."""
FADE_SECONDS: Final = 0.008
"""A raised cosine at each seam."""
MAX_LEVELLING_DB: Final = 3.0
"""No part is moved further towards the median of all parts, or of its speaker's."""
MAX_SPEAKER_DB: Final = 12.0
"""No speaker is moved further towards the others."""


@dataclass(frozen=True, slots=True)
class Preset:
    """A publisher's requirements. None: not required."""

    name: str
    lufs: float | None = None
    """Integrated loudness, ITU-R BS.1770-4."""
    peak_dbtp: float = -1.0
    """True peak that is not exceeded."""
    delivery: Delivery | None = None
    """What the encoded file is checked against."""


PRESETS: Final[Mapping[str, Preset]] = {
    preset.name: preset
    for preset in (
        Preset("none"),
        Preset("podcast", lufs=-16.0, peak_dbtp=-1.0),
        Preset("broadcast", lufs=-23.0, peak_dbtp=-1.0),
        Preset("audiobook-acx", peak_dbtp=-3.5, delivery=ACX),
    )
}
"""Podcasts: the loudness that Apple and Spotify ask for; broadcast: EBU R 128; audiobook-acx: Audible."""


@dataclass(frozen=True, slots=True)
class Style:
    preset: Preset = PRESETS["none"]
    gaps: Mapping[Gap, float] = field(default_factory=lambda: GAP_SECONDS)
    levelled: bool = True
    """Whether parts are brought near the median loudness."""

    @property
    def head_seconds(self) -> float:
        """Room tone before the first part."""
        return self.preset.delivery.head_seconds if self.preset.delivery else 0.0

    @property
    def tail_seconds(self) -> float:
        """Room tone behind the last part."""
        return self.preset.delivery.tail_seconds if self.preset.delivery else 0.0
