"""Templates for object keys: folders and a file name. No two jobs may ever share a key."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from string import Formatter
from typing import Final, NamedTuple

from api_models.values import name_fault

SHARED_TEMPLATE: Final = "{tenant}/{batch}/{custom_id}.{ext}"
"""For a store shared by many tenants and batches."""
FLAT_TEMPLATE: Final = "{custom_id}.{ext}"
"""For a folder used by a single run."""
FIELDS: Final = {
    "tenant": "whose job it is",
    "batch": 'the id of its batch; "jobs" where it has none',
    "custom_id": "its custom_id, which in a file without them is its line; its id where it has no batch",
    "id": "the job's id",
    "model": "the model that speaks it",
    "ext": "wav, flac, mp3 or opus",
    "line": "its line in the sheet, such as {line:04}; its id where it has none",
    "text": "the beginning of its text, such as {text:40}",
    "voice_1": "its voice",
    "voice_2": "the second speaker's voice",
}
"""Fields that a template may use. A sheet's template may also use the sheet's columns."""
MAX_TEXT_CHARACTERS: Final = 100
TEXT_CHARACTERS: Final = 40
"""Default length of a text or cell."""
MAX_CHARACTERS: Final = 300
MAX_FOLDERS: Final = 3
"""With names of up to 220 bytes, a key stays below S3's 1,024 bytes."""

_TELLING: Final = frozenset({"custom_id", "id"})
"""Unique within a batch."""
_HARMLESS: Final = frozenset({"tenant", "batch", "ext"})
"""Cannot make two different names equal when combined with a unique field."""
_LINE: Final = "line"
_NO_LENGTH: Final = frozenset({"tenant", "batch", "custom_id", "id", "model", "ext"})
"""Fields that are never shortened."""
_DIGITS: Final = re.compile(r"0?[1-9][0-9]?")


class TemplateError(ValueError):
    """An ambiguous or unsafe template. The message is for users."""


class Part(NamedTuple):
    """Literal text and the field after it."""

    words: str
    field: str | None
    length: int | None
    """Maximum characters; for a line number, minimum digits."""


@lru_cache(maxsize=1_024)
def parts_of(segment: str) -> tuple[Part, ...]:
    """Parse one folder or file name. Raises ValueError for an invalid template."""
    return tuple(
        Part(words, name, int(spec) if spec and spec.isdigit() else None)
        for words, name, spec, _ in Formatter().parse(segment)
    )


@lru_cache(maxsize=1_024)
def columns_of(template: str) -> tuple[str, ...]:
    """The columns that a valid template uses."""
    names = [part.field for segment in template.split("/") for part in parts_of(segment)]
    return tuple(name for name in dict.fromkeys(names) if name is not None and name not in FIELDS)


def names_cells(template: str) -> bool:
    """Whether the key depends on the row: its line, text, voice or a column."""
    return bool(columns_of(template)) or any(field in template for field in ("{line", "{text", "{voice_"))


def checked_template(template: str, *, shared: bool, columns: Collection[str] | None = ()) -> str:
    """Return the template if it can never name two jobs alike.

    One folder or file name must identify the job on its own: `{id}` does, and in a batch `{custom_id}`, combined only
    with literal text, `{tenant}`, `{batch}` and `{ext}`. Other fields in the same name could cancel out a difference:
    "1" and "12" read like "11" and "2".

    Args:
        template: fields in braces, with slashes between folders.
        shared: whether other batches use the same store: then `{batch}` is required unless `{id}` is used.
        columns: the sheet's columns; None if not known yet.

    Raises:
        TemplateError: with the remedy.
    """
    parts = template.split("/")
    if len(template) > MAX_CHARACTERS or len(parts) > MAX_FOLDERS + 1:
        raise TemplateError(f"is longer than {MAX_CHARACTERS} characters or deeper than {MAX_FOLDERS} folders")
    if not template.endswith(".{ext}"):
        raise TemplateError("doesn't say what kind of file it is; end it with .{ext}")
    names = [_fields_of(part, columns) for part in parts]
    plain = [fields for fields in names if fields <= _TELLING | _HARMLESS and len(fields & _TELLING) <= 1]
    told = frozenset[str]().union(*plain)
    if not told & _TELLING and not any(map(_begins_with_line, parts)):
        raise TemplateError(
            "doesn't tell jobs apart; use {custom_id} or {id}, with no other field in the same name,"
            " or begin a name with {line}, as in {line:04}-{text:40}"
        )
    if shared and "id" not in told and "batch" not in told:
        raise TemplateError("would give jobs of two batches one key; name {batch} in it as well")
    return template


def own_folder(template: str) -> str:
    """Return a valid template if it can't lead into another tenant's folder.

    The first folder must be the tenant's, or be told apart from every tenant's name by the id of a batch or job.

    Raises:
        TemplateError: with the remedy.
    """
    first = template.split("/", maxsplit=1)[0]
    if first != "{tenant}" and "{batch}" not in first and "{id}" not in first:
        raise TemplateError("may lead into another tenant's folder; begin it with {tenant}/")
    return template


def _begins_with_line(segment: str) -> bool:
    """Whether a leading line number identifies the name, whatever follows."""
    first, *rest = parts_of(segment)
    following = rest[0].words if rest else ""
    return first.field == _LINE and bool(following) and not following[0].isalnum()


def _fields_of(part: str, columns: Collection[str] | None) -> frozenset[str]:
    """The fields of one folder or file name. Raises TemplateError for anything but a plain field."""
    try:
        found = list(Formatter().parse(part))
    except ValueError as error:
        raise TemplateError(f"is no template: {error}") from None
    words = "".join(literal + ("x" if name is not None else "") for literal, name, *_ in found)
    if not words:
        raise TemplateError("has a folder without a name; give it one, and begin with none")
    if fault := name_fault(words):
        raise TemplateError(f"has a name that {fault}")
    for _, name, spec, conversion in found:
        if name is None:
            continue
        known = name in FIELDS or (_may_be_column(name) and (columns is None or name in columns))
        if not known or conversion or (spec and name in _NO_LENGTH):
            others = f"; columns of the sheet: {', '.join(columns)}" if columns else ""
            raise TemplateError(f"names a field {{{name}}} that there isn't (known: {', '.join(FIELDS)}{others})")
        if spec and not (_DIGITS.fullmatch(spec) if name == _LINE else _is_length(spec)):
            shape = "{line:04}" if name == _LINE else f"{{{name}:40}}, up to {MAX_TEXT_CHARACTERS}"
            raise TemplateError(f"has {{{name}:{spec}}}; write it as {shape}")
    return frozenset(name for _, name, *_ in found if name is not None)


def _may_be_column(name: str) -> bool:
    """Format strings treat numbers, dots and brackets specially."""
    return bool(name.strip()) and not name.isdigit() and not set(".[]!").intersection(name)


def _is_length(spec: str) -> bool:
    return (
        spec.isascii()
        and spec.isdigit()
        and len(spec) <= len(str(MAX_TEXT_CHARACTERS))
        and (1 <= int(spec) <= MAX_TEXT_CHARACTERS)
    )
