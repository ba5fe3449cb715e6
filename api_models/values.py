"""Parsing of loosely typed values from sheets and JSON: blanks, numbers, times, names. Errors name the remedy."""

from __future__ import annotations

import math
import re
import unicodedata
from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import AwareDatetime, BeforeValidator
from pydantic_core import PydanticCustomError

from api_models.hints import quoted

MAX_CUSTOM_ID_BYTES: Final = 200
"""A custom_id becomes a file name, which file systems limit to 255 bytes; the rest is for extensions."""

LONGEST_SPAN_SECONDS: Final = 3_650 * 86_400
"""Ten years; longer means no expiry."""

_DECIMAL_COMMA: Final = re.compile(r"[+-]?[0-9]{1,3},[0-9]{1,6}")
"""As spreadsheets write it in most of Europe. No field takes thousands."""
_SPAN: Final = re.compile(r"([0-9]{1,9}) ?([smhdw]?)")
_SPAN_SECONDS: Final = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400}
_FORBIDDEN_IN_NAMES: Final = frozenset('/\\:*?"<>|')


def blank_is_none(value: object) -> object:
    """Treat an empty cell as missing."""
    return None if isinstance(value, str) and not value.strip() else value


def _flag(value: object) -> object:
    value = blank_is_none(value)
    return False if value is None else value


Flag = Annotated[bool, BeforeValidator(_flag)]
"""True or false; an empty cell is false."""
OptionalFlag = Annotated[bool | None, BeforeValidator(blank_is_none)]


def number(value: object) -> object:
    """Parse a number that may be text. Rejects booleans; infinities and NaN are left to the range check."""
    value = blank_is_none(value)
    if value is None:
        return None
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        if isinstance(value, str) and _DECIMAL_COMMA.fullmatch(value.strip()):
            value = value.replace(",", ".")
        try:
            return float(value)
        except OverflowError:
            return math.inf
        except ValueError:
            pass
    raise PydanticCustomError("number", "{value} is not a number; give one such as 0.4", {"value": quoted(value)})


def moment(value: object) -> datetime | None:
    """Parse a time as UTC. Rejects bare numbers: `20261201` may be a date or seconds since 1970."""
    value = blank_is_none(value)
    if value is None:
        return None
    try:
        time = datetime.fromisoformat(value.strip()) if isinstance(value, str) else value
    except ValueError:
        time = None
    if not isinstance(time, datetime):
        raise PydanticCustomError(
            "moment", "{value} is not a time; write it as 2026-12-01T08:00:00Z", {"value": quoted(value)}
        )
    if time.utcoffset() is None:
        raise PydanticCustomError(
            "moment",
            "{value} has no time zone; write 2026-12-01T08:00:00Z for UTC, or end it with an offset such as +02:00",
            {"value": quoted(value)},
        )
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("moment", "{value} lies outside the calendar", {"value": quoted(value)}) from None


def span(value: object) -> int | None:
    """Parse a duration in whole seconds: a number, or one with a unit, such as `30d`."""
    value = blank_is_none(value)
    if value is None:
        return None
    seconds = None
    if isinstance(value, str):
        seconds = span_seconds(value)
    elif isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1:
        seconds = int(value)
    if seconds is None or not 1 <= seconds <= LONGEST_SPAN_SECONDS:
        raise PydanticCustomError(
            "span",
            "{value} is no length of time up to ten years; write seconds, or a unit as in 12h, 30d or 8w",
            {"value": quoted(value)},
        )
    return seconds


def span_seconds(text: str) -> int | None:
    """Return the seconds of `30d` or `90`, or None if it is no length of time."""
    found = _SPAN.fullmatch(text.strip().lower())
    return int(found[1]) * _SPAN_SECONDS[found[2]] if found else None


def name_fault(name: str) -> str | None:
    """Return why `name` is not a valid file name on common systems, or None."""
    if bad := sorted(_FORBIDDEN_IN_NAMES.intersection(name)):
        return f"contains {' '.join(bad)}"
    if any(unicodedata.category(character) in {"Cc", "Cs", "Cf"} for character in name):
        return "contains an invisible character"
    if name != name.strip() or name.startswith(".") or name.endswith("."):
        return "begins or ends with a space or a dot"
    if len(name.encode()) > MAX_CUSTOM_ID_BYTES:
        return f"is longer than {MAX_CUSTOM_ID_BYTES} bytes of UTF-8"
    return None


OptionalName = Annotated[str | None, BeforeValidator(blank_is_none)]
OptionalNumber = Annotated[float | None, BeforeValidator(number)]
OptionalSpan = Annotated[int | None, BeforeValidator(span)]
"""Seconds."""
OptionalMoment = Annotated[AwareDatetime | None, BeforeValidator(moment)]
