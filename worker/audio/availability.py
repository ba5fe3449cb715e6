"""Which optional encoders are installed. Imports none of them."""

from __future__ import annotations

from importlib.util import find_spec


def has_aac() -> bool:
    return find_spec("av") is not None
