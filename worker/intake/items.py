"""JSON lists: one object per job, with keys resolved like a sheet's columns, or one text per job. Read whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import IO, Any, Final

from api_models.problems import Fault
from worker.intake.block import Record
from worker.intake.encoding import not_utf_8
from worker.intake.header import CELLS, MAX_COLUMNS, NAME, TEXT, Header
from worker.intake.lines import DECODER, kind_of, repeated_key
from worker.intake.objects import Objects, flattened
from worker.intake.sheet_options import SheetOptions

MAX_BYTES: Final = 268_435_456
SAMPLE_BYTES: Final = 16_384
"""Around a wrong byte, by which the encoding is guessed."""
_EXAMPLE: Final = 'write a list such as [{"text": "Hello."}]'


def load(stream: IO[bytes], options: SheetOptions) -> list[Any] | Fault:
    """The items of a list, or of an object that holds a list, or maps names to texts (as translation files do)."""
    content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        return Fault(message=f"is longer than {MAX_BYTES:,} bytes; write one object a line, as .jsonl")
    value = _decoded(content, options)
    if isinstance(value, list | Fault):
        return value
    found = _listed(value, options) if isinstance(value, dict) else None
    return Fault(message=f"holds {kind_of(value)}, not a list; {_EXAMPLE}") if found is None else found


def _listed(value: dict[str, Any], options: SheetOptions) -> list[Any] | None:
    """The jobs of an object: itself, its only list, or its values under their keys as names; else None."""
    keys = tuple(flattened(value))
    if len(keys) <= MAX_COLUMNS and Header.of(keys, CELLS, options).has_text:
        return [value]
    lists = [one for one in value.values() if isinstance(one, list) and all(isinstance(item, dict) for item in one)]
    if len(lists) == 1 and lists[0]:
        return list(lists[0])
    if value and all(isinstance(one, str) for one in value.values()):
        return [{NAME: key, TEXT: text} for key, text in value.items()]
    return None


def _decoded(content: bytes, options: SheetOptions) -> Any:  # noqa: ANN401 - whatever JSON has
    try:
        return DECODER.decode(content.decode("utf-8-sig").strip())
    except UnicodeDecodeError as error:
        sample = content[max(0, error.start - SAMPLE_BYTES // 2) :][:SAMPLE_BYTES]
        return Fault(message=f"byte {error.start + 1:,} {not_utf_8(error, sample, options)}")
    except json.JSONDecodeError as error:
        what = error.msg[:1].lower() + error.msg[1:]
        return Fault(message=f"is not JSON: {what} at line {error.lineno:,}, column {error.colno}; {_EXAMPLE}")
    except (ValueError, RecursionError) as error:
        if key := repeated_key(error):
            return Fault(message=f"an object has the key {key} more than once; keep one")
        return Fault(message=f"holds a value no job can use; {_EXAMPLE}")


def parse(items: list[Any], options: SheetOptions) -> Iterator[Header | Record | Fault]:
    objects = Objects(options)
    for number, item in enumerate(items, 1):
        if isinstance(item, str):
            yield Record(number, number, {TEXT: item})
        elif isinstance(item, dict):
            yield from objects.records(number, item)
        else:
            yield Fault(line=number, message=f"is {kind_of(item)}, not an object; {_EXAMPLE}")
