"""How the text that is spoken came to differ from what the producer wrote."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

LEXICON_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
LEXICON: Final = re.compile(rf"(?P<name>{LEXICON_NAME.pattern})(?:@(?P<version>[1-9][0-9]{{0,8}}))?")
"""A lexicon, and perhaps one of its versions: `brand` or `brand@3`."""


@dataclass(frozen=True, slots=True)
class Wording:
    """Kept with a job whose text was changed before it was planned, priced and fingerprinted."""

    original: str
    """The text as the producer wrote it."""
    lexicon: str = ""
    """The lexicon that was applied, with its version; empty if none was."""

    def stored(self) -> str:
        plain = {name: value for name, value in asdict(self).items() if value}
        return json.dumps(plain, ensure_ascii=False)

    @classmethod
    def read(cls, stored: str) -> Self:
        found: dict[str, Any] = json.loads(stored)
        # Fields of a newer version are passed over.
        known = {name: found.get(name, "") for name in cls.__dataclass_fields__}
        return cls(**known)


def original_text(text: str, wording: str | None) -> str:
    """Return what the producer wrote, by the stored text and wording of a job."""
    return Wording.read(wording).original if wording else text
