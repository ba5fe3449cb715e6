"""The models file of docs/models.md, and variants of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).parents[3] / "docs/models.md"
FENCE: Final = re.compile(r"```toml\n(.*?)```", re.DOTALL)
EXAMPLE, NEW_PRICE = FENCE.findall(PAGE.read_text(encoding="utf-8"))


def changed(old: str, new: str) -> str:
    """The example with one change, which must apply."""
    assert old in EXAMPLE
    return str(EXAMPLE).replace(old, new, 1)
