"""Merges a row's values with the defaults. Values that a row's format cannot have are left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from api_models.encodings import TAG_FIELDS
from api_models.formats import AudioFormat
from api_models.values import blank_is_none

_FORMAT: Final = "format"
_BITRATE: Final = "mp3_bitrate"
_TAGS: Final = frozenset(TAG_FIELDS)


def merged(defaults: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a row. A default bitrate is dropped if the row names a format other than MP3."""
    values = {**defaults, **fields}
    own_format = blank_is_none(fields.get(_FORMAT))
    if _BITRATE in defaults and _BITRATE not in fields and own_format is not None and not _names_mp3(own_format):
        del values[_BITRATE]
    return values


def relevant(defaults: Mapping[str, Any], fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values without the tags of audio that has none: many sheets have a column `Title` that means the text's."""
    if _TAGS.isdisjoint(fields) or may_have_tags(defaults, fields):
        return fields
    return {name: value for name, value in fields.items() if name not in _TAGS}


def may_have_tags(defaults: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
    values = merged(defaults, fields)
    chosen = blank_is_none(values.get(_FORMAT))
    return _names_mp3(chosen) if chosen is not None else blank_is_none(values.get(_BITRATE)) is not None


def _names_mp3(value: object) -> bool:
    return isinstance(value, str) and value.strip().lower().removeprefix(".") == AudioFormat.MP3
