"""How objects are named: a template of folders and a file name, by which no two jobs may ever get one key."""

from __future__ import annotations

from string import Formatter
from typing import Final

from api_models.values import name_fault

SHARED_TEMPLATE: Final = "{tenant}/{batch}/{custom_id}.{ext}"
"""Where many tenants and batches share one store."""
FLAT_TEMPLATE: Final = "{custom_id}.{ext}"
"""Where one run has a folder for itself."""
FIELDS: Final = {
    "tenant": "whose job it is",
    "batch": 'the id of its batch; "jobs" where it has none',
    "custom_id": "its custom_id, which in a file without them is its line; its id where it has no batch",
    "id": "the job's id",
    "model": "the model that speaks it",
    "ext": "wav, flac, mp3 or opus",
}
"""What a template may name, in braces."""
MOST_CHARACTERS: Final = 300
MOST_FOLDERS: Final = 3
"""With names of up to 220 bytes, a key stays below the 1,024 bytes of S3."""

_TELLING: Final = frozenset({"custom_id", "id"})
"""No two jobs of a batch have the same."""
_HARMLESS: Final = frozenset({"tenant", "batch", "ext"})
"""Beside one of those in one name, these can't make up for a difference."""


class TemplateError(ValueError):
    """A template by which two jobs could get one key, or a key could lead astray. The message is for people."""


def checked_template(template: str, *, shared: bool) -> str:
    """The template itself, where it can name the objects of any jobs.

    One folder or file name of it must tell jobs apart by itself: `{id}` does, and in a batch `{custom_id}`, with
    nothing beside it in that name but fixed words, `{tenant}`, `{batch}` and `{ext}`. Other fields in the same name
    could make up for a difference: "1" and "12" read like "11" and "2".

    Args:
        template: names in braces, with slashes between folders.
        shared: whether other batches use the same place: then `{batch}` must be there too, unless `{id}` is.

    Raises:
        TemplateError: with the remedy.
    """
    parts = template.split("/")
    if len(template) > MOST_CHARACTERS or len(parts) > MOST_FOLDERS + 1:
        raise TemplateError(f"is longer than {MOST_CHARACTERS} characters or deeper than {MOST_FOLDERS} folders")
    if not template.endswith(".{ext}"):
        raise TemplateError("doesn't say what kind of file it is; end it with .{ext}")
    names = [_fields_of(part) for part in parts]
    plain = [fields for fields in names if fields <= _TELLING | _HARMLESS and len(fields & _TELLING) <= 1]
    told = frozenset[str]().union(*plain)
    if not told & _TELLING:
        raise TemplateError(
            "doesn't tell jobs apart; use {custom_id} or {id}, with no other of them and no {model} in the same name"
        )
    if shared and "id" not in told and "batch" not in told:
        raise TemplateError("would give jobs of two batches one key; name {batch} in it as well")
    return template


def _fields_of(part: str) -> frozenset[str]:
    """What one folder or file name of a template names. Raises TemplateError for what is no plain field."""
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
        if name is not None and (name not in FIELDS or spec or conversion):
            raise TemplateError(f"names a field {{{name}}} that there isn't (known: {', '.join(FIELDS)})")
    return frozenset(name for _, name, *_ in found if name is not None)
