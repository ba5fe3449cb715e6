"""How the text that is spoken came to differ from what the producer wrote."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final, Self

LEXICON_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
LEXICON: Final = re.compile(rf"(?P<name>{LEXICON_NAME.pattern})(?:@(?P<version>[1-9][0-9]{{0,8}}))?")
"""A lexicon, and perhaps one of its versions: `brand` or `brand@3`."""


class Clean(StrEnum):
    """What a text is written in, of which its words alone are spoken."""

    HTML = "html"
    MARKDOWN = "markdown"
    SSML = "ssml"
    """Breaks become silence between parts; `sub`, `say-as` and `voice` are followed."""
    AUTO = "auto"
    """Whichever of these the text looks like."""


@dataclass(frozen=True, slots=True)
class Wording:
    """Kept with a job whose text was changed before it was planned, priced and fingerprinted."""

    original: str
    """The text as the producer wrote it."""
    lexicon: str = ""
    """The lexicon that was applied, with its version; empty if none was."""
    pauses: tuple[tuple[int, float], ...] = ()
    """Places in the spoken text, and the seconds of silence before them."""
    voices: tuple[tuple[int, str], ...] = ()
    """Places, and the voice from there on; empty for the job's own."""

    @property
    def layout(self) -> str:
        """What its parts are made by, as JSON; empty for a text of one call."""
        return json.dumps([self.pauses, self.voices]) if self.has_parts else ""

    @property
    def has_parts(self) -> bool:
        """Whether the text must be spoken in parts, however short it is."""
        return bool(self.pauses or self.voices)

    def stored(self) -> str:
        plain = {name: value for name, value in asdict(self).items() if value}
        return json.dumps(plain, ensure_ascii=False)

    @classmethod
    def read(cls, stored: str) -> Self:
        found: dict[str, Any] = json.loads(stored)
        # Fields of a newer version are passed over.
        return cls(
            found.get("original", ""),
            found.get("lexicon", ""),
            tuple((place, seconds) for place, seconds in found.get("pauses", ())),
            tuple((place, voice) for place, voice in found.get("voices", ())),
        )


def original_text(text: str, wording: str | None) -> str:
    """Return what the producer wrote, by the stored text and wording of a job."""
    return Wording.read(wording).original if wording else text
