"""JSON lists: one object per job, with keys resolved like a sheet's columns, or one text per job. Read whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import IO, Any, Final

from api_models.problems import Fault
from worker.intake.block import Record
from worker.intake.carried import packed
from worker.intake.header import CELLS, MAX_COLUMNS, TEXT, Header, WholeFault, header_faults
from worker.intake.lines import DECODER, is_of_openai, kind_of, openai_fault, repeated_key
from worker.intake.sheet_options import SheetOptions

MAX_BYTES: Final = 268_435_456
MAX_SHAPES: Final = 1_000
"""Cached sets of keys."""

_EXAMPLE: Final = 'write a list such as [{"text": "Hello."}]'


def load(stream: IO[bytes]) -> list[Any] | Fault:
    content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        return Fault(message=f"is longer than {MAX_BYTES:,} bytes; write one object a line, as .jsonl")
    value = _decoded(content)
    if isinstance(value, list | Fault):
        return value
    if isinstance(value, dict) and is_of_openai(value):
        return openai_fault(None)
    return Fault(message=f"holds {kind_of(value)}, not a list; {_EXAMPLE}")


def _decoded(content: bytes) -> Any:  # noqa: ANN401 - whatever JSON has
    try:
        return DECODER.decode(content.decode("utf-8-sig").strip())
    except UnicodeDecodeError as error:
        return Fault(message=f"byte {error.start + 1:,} is not UTF-8; save the file as UTF-8")
    except json.JSONDecodeError as error:
        what = error.msg[:1].lower() + error.msg[1:]
        return Fault(message=f"is not JSON: {what} at line {error.lineno:,}, column {error.colno}; {_EXAMPLE}")
    except (ValueError, RecursionError) as error:
        if key := repeated_key(error):
            return Fault(message=f"an object has the key {key} more than once; keep one")
        return Fault(message=f"holds a value no job can use; {_EXAMPLE}")


def parse(items: list[Any], options: SheetOptions) -> Iterator[Header | Record | Fault]:
    """Yield one record or fault per item. Stops at the first set of keys without a text."""
    shapes: dict[tuple[str, ...], Header] = {}
    for number, item in enumerate(items, 1):
        if isinstance(item, str):
            yield Record(number, number, {TEXT: item})
            continue
        if not isinstance(item, dict):
            yield Fault(line=number, message=f"is {kind_of(item)}, not an object; {_EXAMPLE}")
            continue
        if is_of_openai(item):
            yield openai_fault(number)
            return
        keys = tuple(item)[: MAX_COLUMNS + 1]
        if (header := shapes.get(keys)) is None:
            header = Header.of(keys, CELLS, options)
            if len(shapes) < MAX_SHAPES:
                shapes[keys] = header
            yield header
            yield from _faults(header, number, options)
        if header.has_text:
            yield _record(number, item, header)


def _faults(header: Header, number: int, options: SheetOptions) -> Iterator[Fault]:
    for fault in header_faults(header, number, options):
        yield WholeFault(
            line=number,
            field=fault.field,
            message=fault.message.replace("column", "key").replace("first line", "items"),
        )


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
