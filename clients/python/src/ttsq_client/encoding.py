"""Fields as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any


def encoded(fields: Mapping[str, object]) -> dict[str, Any]:
    """Return fields with times and amounts as the gateway reads them.

    Raises:
        ValueError: a time without a zone.
    """
    return {name: _value(name, value) for name, value in fields.items()}


def _value(name: str, value: object) -> object:
    match value:
        case datetime():
            if value.tzinfo is None:
                raise ValueError(f"{name} has no time zone; use datetime.now(UTC) or .astimezone()")
            return value.isoformat()
        case Decimal():
            return f"{value:f}"
        case tuple() | set() | frozenset():
            return list(value)
        case _:
            return value
