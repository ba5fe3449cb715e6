"""Events whose fields stand at the first level, for tools that map no nested ones. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

AUDIO_FIELDS: Final = ("content_type", "bytes", "sha256", "duration_ms", "url")
_NO_AUDIO: Final = dict.fromkeys(AUDIO_FIELDS)


def flat(type: str, timestamp: str, data: Mapping[str, Any]) -> dict[str, Any]:  # noqa: A002 - the word of the events
    """Return the fields of `data` beside type and timestamp; a nested `audio.url` becomes `audio_url`.

    A job without audio has the same names with nulls, so that a mapping made from one message fits all of them.
    """
    fields: dict[str, Any] = {"type": type, "timestamp": timestamp}
    for name, value in data.items():
        nested = _NO_AUDIO if name == "audio" and value is None else value
        if isinstance(nested, Mapping):
            fields |= {f"{name}_{inner}": one for inner, one in nested.items()}
        else:
            fields.setdefault(name, value)
    return fields
