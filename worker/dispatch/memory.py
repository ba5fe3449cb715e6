"""Undoes what a tick changed in memory when its transaction fails: memory must never be ahead of the rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def checkpoint(*parts: Any) -> Callable[[], None]:  # noqa: ANN401 - any slotted dataclass
    """Return a function that restores the state of the parts. Dictionaries and sets are copied, one level deep."""
    saved = [(part, name, _copied(getattr(part, name))) for part in parts for name in part.__slots__]

    def restore() -> None:
        for part, name, value in saved:
            setattr(part, name, value)

    return restore


def _copied(value: object) -> object:
    return value.copy() if isinstance(value, dict | set) else value
