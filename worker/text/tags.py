"""Inline tags such as `[sigh]`, written as a model reads them. A model that would read them aloud gets none."""

from __future__ import annotations

import re
from typing import Final

from api_models.speech_model import TagDialect

_NAMES: Final = (
    "amused angry breath breathes calm chuckle chuckles chuckling clears_throat cough coughs coughing cries cry crying"
    " excited exhale exhales gasp gasps giggle giggles giggling groan groans gulp gulps happy hums inhale inhales laugh"
    " laughs laughing laughter mumbles nervous sad sarcastic scream screams shout shouts shouting sigh sighs sighing"
    " sings sniff sniffs snort snorts sob sobs sobbing surprised whisper whispers whispering yawn yawns yelling"
)
TAGS: Final = frozenset(_NAMES.split())
"""Sounds and manners that models with tags make of them, in lower case. Other brackets are text."""
_SQUARE: Final = re.compile(r"[^\S\n]*\[([A-Za-z]+(?:[ _][A-Za-z]+)?)\]")
_PLACED: Final = re.compile(r"\[([A-Za-z]+(?:[ _][A-Za-z]+)?)\]")
_ANGLE: Final = re.compile(r"<([A-Za-z]+(?:[ _][A-Za-z]+)?)\s*/?>")


def squared(text: str) -> str:
    """Write known tags in angle brackets in square ones, which no markup takes for its own."""
    return _ANGLE.sub(lambda found: f"[{found[1]}]" if _is_tag(found[1]) else found[0], text)


def without(text: str) -> str:
    """Leave known tags out, with the blanks before them."""
    return _SQUARE.sub(lambda found: "" if _is_tag(found[1]) else found[0], text)


def in_dialect(text: str, dialect: TagDialect) -> str:
    """Write tags in square brackets as a dialect has them, at the same places. None has no tags: see `without`."""
    if dialect is not TagDialect.ANGLE:
        return text
    return _PLACED.sub(lambda found: f"<{found[1]}>" if _is_tag(found[1]) else found[0], text)


def _is_tag(name: str) -> bool:
    return name.lower().replace(" ", "_") in TAGS
