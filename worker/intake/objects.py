"""JSON objects as records: keys are matched like a sheet's columns, others are copied to the manifest.

Nested objects count as dotted keys, such as `content.rendered`. Lines of an OpenAI batch are read by their body.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from api_models.formats import AudioFormat
from api_models.problems import Fault
from api_models.registry import MODELS, VOICES
from worker.intake.block import Record
from worker.intake.carried import packed
from worker.intake.header import CELLS, MAX_COLUMNS, TEXT, Header, WholeFault, header_faults
from worker.intake.sheet_options import SheetOptions

MAX_SHAPES: Final = 1_000
"""Cached sets of keys."""
HINTED_SHAPES: Final = 20
"""Sets of keys in which misspelt ones are looked for: each takes milliseconds."""
MAX_DEPTH: Final = 4
"""Objects in objects; deeper ones are written as JSON."""

_SPEECH: Final = "/audio/speech"
_MEANT: Final[Mapping[str, tuple[str, Callable[[str], object]]]] = {
    "body.input": ("input", lambda _: True),
    "body.voice": ("voice", VOICES.named),
    "body.model": ("model", MODELS.named),
    "body.response_format": ("format", set(AudioFormat).__contains__),
}
"""Keys of an OpenAI batch: the key that they stand for, and which values mean the same here."""


class Objects:
    def __init__(self, options: SheetOptions) -> None:
        self._options = options
        self._shapes: dict[tuple[str, ...], Header] = {}
        self._found_text = False
        """Whether an object before had a text: then one without is an error of its own, not of the whole."""

    def records(self, number: int, item: dict[str, Any]) -> Iterator[Header | Record | Fault]:
        """Yield the record of one object, after its header if its keys are new; or what is wrong with the keys."""
        if is_of_openai(item) and _SPEECH not in str(item.get("url", _SPEECH)):
            yield _no_speech(number, item)
            return
        flat = flattened(item)
        keys = tuple(flat)[: MAX_COLUMNS + 1]
        if (header := self._shapes.get(keys)) is None:
            header = Header.of(keys, CELLS, self._options, hints=len(self._shapes) < HINTED_SHAPES)
            if self._found_text and not header.has_text:
                yield Fault(line=number, field=TEXT, message="is missing")
                return
            yield from self._faults(header, number, list(map(_written, flat.values())))
            if len(self._shapes) < MAX_SHAPES:
                self._shapes[keys] = header
                yield header
        self._found_text = self._found_text or header.has_text
        if header.has_text:
            yield _record(number, flat, header)

    def _faults(self, header: Header, number: int, values: list[str]) -> Iterator[Fault]:
        for fault in header_faults(header, number, self._options, [values]):
            message = fault.message.replace("columns", "keys").replace("column", "key")
            message = message.replace("the first line must name", "every object must have").replace(
                "--text-key", "--text-column"
            )
            message = message.replace("--ignore-key", "--ignore-column").replace("--id-key", "--id-column")
            kind = Fault if self._found_text else WholeFault
            yield kind(line=number, field=fault.field, message=message)


def flattened(item: dict[str, Any]) -> dict[str, Any]:
    """The object with dotted keys in place of nested objects."""
    flat = dict(_flat(item, "", 0)) if any(isinstance(value, dict) for value in item.values()) else item
    if not is_of_openai(item):
        return flat
    return {_meant(key, value): value for key, value in flat.items()}


def _flat(item: dict[str, Any], prefix: str, depth: int) -> Iterator[tuple[str, Any]]:
    for key, value in item.items():
        if isinstance(value, dict) and value and depth < MAX_DEPTH:
            yield from _flat(value, f"{prefix}{key}.", depth + 1)
        else:
            yield f"{prefix}{key}", value


def _meant(key: str, value: object) -> str:
    name, means_the_same = _MEANT.get(key, (key, None))
    return name if means_the_same is None or means_the_same(str(value).casefold()) else key


def is_of_openai(value: dict[str, Any]) -> bool:
    """Whether an object is a line of an OpenAI batch file."""
    return isinstance(value.get("body"), dict) and ("url" in value or "method" in value)


def _no_speech(number: int, item: dict[str, Any]) -> WholeFault:
    message = f"is a request to {str(item.get('url'))[:60]}, which makes no speech; only requests to {_SPEECH} are read"
    return WholeFault(line=number, message=message)


def _record(number: int, item: dict[str, Any], header: Header) -> Record:
    fields = {field: item[key] for key, field in zip(header.columns, header.known(), strict=True) if field}
    rest = ((label, _written(item[header.columns[index]])) for index, label in header.carried())
    return Record(number, number, fields, packed(rest))


def _written(value: object) -> str:
    match value:
        case None:
            return ""
        case str():
            return value
        case _:
            return json.dumps(value, ensure_ascii=False)
