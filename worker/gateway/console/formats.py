"""Values as the pages show them: times, durations, amounts, text that others wrote. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from markupsafe import Markup, escape

from api_models.escaping import escaped

ELLIPSIS: Final = "…"


def money(dollars: Decimal | None) -> str:
    """To a hundredth of a cent below ten dollars, where calls cost fractions of a cent; else to the cent."""
    if dollars is None:
        return "–"
    if not dollars:
        return "$0"
    places = 4 if abs(dollars) < 10 else 2
    return f"{'-' if dollars < 0 else ''}${abs(dollars):,.{places}f}"


def number(count: float | None) -> str:
    return "–" if count is None else f"{count:,.0f}"


def duration(seconds: float | timedelta | None) -> str:
    if seconds is None:
        return "–"
    total = seconds.total_seconds() if isinstance(seconds, timedelta) else float(seconds)
    if total < 1:
        return f"{total * 1000:.0f} ms"
    if total < 10:
        return f"{total:.1f} s"
    if total < 60:
        return f"{total:.0f} s"
    minutes, rest = divmod(int(total), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours < 48 else f"{hours // 24} days"


def clock(seconds: float | None) -> str:
    """A length of audio, as players show it."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"


def hidden(text: str | None) -> str | None:
    """What stands for a text that its tenant hides."""
    return f"Hidden ({len(text):,} characters)" if text else text


def shown_whole(text: str | None) -> str | None:
    return text


def moment(at: datetime | None, now: datetime | None = None) -> Markup:
    """A time element: how long ago, with the exact time in UTC as its title."""
    if at is None:
        return Markup("–")
    exact = at.astimezone(UTC)
    shown = f"{exact:%Y-%m-%d %H:%M:%S} UTC"
    label = shown if now is None else relative(at, now)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(exact.isoformat(), shown, label)


def relative(at: datetime, now: datetime) -> str:
    seconds = (now - at).total_seconds()
    if abs(seconds) < 5:
        return "now"
    length = _rough(abs(seconds))
    return f"{length} ago" if seconds > 0 else f"in {length}"


def _rough(seconds: float) -> str:
    for unit, size in (("day", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'s' if unit == 'day' and count > 1 else ''}"
    return f"{seconds:.0f} s"


def short(identifier: object) -> str:
    """The end of an id: the beginning of a UUIDv7 is its time, which neighbours share."""
    return str(identifier)[-8:]


def cut(text: str | None, length: int = 90) -> str:
    line = " ".join((text or "").split())
    return line if len(line) <= length else line[: length - 1].rstrip() + ELLIPSIS


def exactly(value: object) -> Markup:
    """Escaped for HTML only: for values of form fields, which are sent back as they are."""
    return escape("" if value is None else str(value))


def ticks(text: str) -> Markup:
    """Show what stands in backticks as code."""
    parts = [escape(escaped(part)) for part in text.split("`")]
    marked = [Markup("<code>{}</code>").format(part) if at % 2 else part for at, part in enumerate(parts)]
    return Markup("").join(marked)


def shown(value: object, redacted: str = "") -> object:
    """Make a value safe to show: control characters and marks that change the direction of text are written out.

    `redacted` is masked; what is HTML already stays as it is.
    """
    if value is None:
        return ""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    text = value.replace(redacted, "***") if redacted else value
    return escaped(text)


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else _ending(noun)}"


def _ending(noun: str) -> str:
    return "es" if noun.endswith(("s", "ch", "x")) else "s"
