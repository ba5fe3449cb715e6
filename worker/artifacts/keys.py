"""Object keys: how a job's audio is named, and which keys a store accepts. Pure; no key leads out of a store."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping
from typing import Final

from api_models.key_templates import TEXT_CHARACTERS, Part, parts_of

NO_BATCH: Final = "jobs"
"""Stands in for the batch of a job that has none."""
OWN_FOLDER: Final = ".ttsq"
"""The part of a store that is ours: checks, sidecars, files on their way. No audio has a key in it."""

MAX_VALUE_BYTES: Final = 200
"""A longer tenant, batch or name is cut and ends in a part of its own SHA-256."""
MAX_SEGMENT_BYTES: Final = 220
"""File systems stop at 255 bytes a name; sidecars add a checksum and a suffix to it."""
MAX_KEY_BYTES: Final = 900
"""S3 stops at 1,024 bytes a key, the store's own prefix included."""

EMPTY: Final = "_"
"""Stands in for a cell that is blank."""
NO_CELLS: Final[Mapping[str, str | None]] = {}

_STEPS: Final = frozenset({"", ".", ".."})
_FORBIDDEN: Final = frozenset('/\\:*?"<>|')
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_CONTROL: Final = frozenset({"Cc", "Cs"})
_PLAIN: Final = re.compile(r"[\w.\- ]+", re.ASCII)
"""Holds nothing that has to be escaped: most values, and looked at much faster than character by character."""
_LOOKS_ESCAPED: Final = re.compile(r"%(?=[0-9A-F]{2})")


def object_key(
    template: str,
    *,
    tenant: str,
    batch: str | None,
    custom_id: str | None,
    job: str,
    model: str,
    ext: str,
    line: int | None = None,
    cells: Mapping[str, str | None] = NO_CELLS,
) -> str:
    """The key for one job's audio. The values may be any text.

    Different values give different keys: what a file name can't hold is percent-encoded, what is too long ends in
    a part of its own SHA-256. A plain value stays as it is.

    Args:
        template: as `api_models.key_templates` has them.
        batch: None for a job outside any batch: nothing makes its custom_id its own, so its id takes that place.
        custom_id: None for a job without one.
        line: likewise; its id takes that place too.
        cells: the text, the voices and the columns of its sheet, for templates that name them. What a file name can't
            hold is left out of them, for none of them has to tell jobs apart.
    """
    fields = {
        "tenant": tenant,
        "batch": NO_BATCH if batch is None else batch,
        "custom_id": job if batch is None or custom_id is None else custom_id,
        "id": job,
        "model": model,
        "ext": ext,
    }
    if "{line" in template:
        fields["line"] = job if batch is None or line is None else str(line)
    escaped = {field: _escaped(value) for field, value in fields.items()}
    return checked_key("/".join(_segment(part, escaped, cells) for part in template.split("/")))


def cells_of(text: str | None, voice_1: str | None, voice_2: str | None, extra: str | None) -> dict[str, str | None]:
    """The `cells` of a job, for `object_key`; `extra` is a JSON object of its sheet's other columns."""
    found: dict[str, str | None] = json.loads(extra) if extra else {}
    return found | {"text": text, "voice_1": voice_1, "voice_2": voice_2}


def batch_prefix(template: str, *, tenant: str, batch: str) -> str:
    """The folders that all keys of a batch share, with a slash at the end; empty if its keys are spread."""
    fields = {"tenant": _escaped(tenant), "batch": _escaped(batch)}
    folders = []
    for segment in template.split("/")[:-1]:
        if any(part.field is not None and part.field not in fields for part in parts_of(segment)):
            break
        folders.append(_segment(segment, fields, NO_CELLS) + "/")
    return "".join(folders)


def beside(key: str, name: str) -> str:
    """Another key in the same folder, told apart by `name` (such as a job's id)."""
    folder, slash, file = key.rpartition("/")
    stem, _, ext = file.rpartition(".")
    return checked_key(f"{folder}{slash}{_fitting(f'{stem}.{name}.{ext}')}")


def checked_key(key: str) -> str:
    """`key` itself where every store can hold it and it stays inside; else ValueError."""
    segments = key.split("/")
    is_plain = key.isascii() and key.isprintable()
    if not _STEPS.isdisjoint(segments) or segments[0] == OWN_FOLDER:
        raise ValueError(f"the key {key!r} leads out of the store or into its own folder")
    if "\\" in key or not (is_plain or _CONTROL.isdisjoint(map(unicodedata.category, key))):
        raise ValueError(f"the key {key!r} has a backslash or a control character")
    size = len(key) if is_plain else len(key.encode())
    longest = size if size <= MAX_SEGMENT_BYTES else max(len(segment.encode()) for segment in segments)
    if size > MAX_KEY_BYTES or longest > MAX_SEGMENT_BYTES:
        raise ValueError(f"the key {key[:60]!r}… is too long: {size} bytes")
    return key


def _segment(segment: str, escaped: Mapping[str, str], cells: Mapping[str, str | None]) -> str:
    """One folder or file name of the template, filled in; never hidden, never a step upwards."""
    whole = "".join(part.words + _filled(part, escaped, cells) for part in parts_of(segment))
    return _fitting("%2E" + whole[1:] if whole.startswith(".") else whole)


def _filled(part: Part, escaped: Mapping[str, str], cells: Mapping[str, str | None]) -> str:
    if part.field is None:
        return ""
    if (value := escaped.get(part.field)) is not None:
        return value.zfill(part.length or 0)
    return _readable(cells.get(part.field) or "", part.length or TEXT_CHARACTERS)


def _readable(value: str, characters: int) -> str:
    """The beginning of a text as a part of a name; never empty."""
    plain = "".join(" " if character in _FORBIDDEN or not character.isprintable() else character for character in value)
    return _shortened(" ".join(plain.split())[:characters].strip(" .").replace("%", " ").strip()) or EMPTY


def _fitting(name: str) -> str:
    """A name that is put together from many values may be too long: then its middle becomes a checksum."""
    encoded = name.encode()
    if len(encoded) <= MAX_SEGMENT_BYTES:
        return name
    tail = f"~{hashlib.sha256(encoded).hexdigest()[:32]}{name[name.rfind('.') :][-6:]}"
    return encoded[: MAX_SEGMENT_BYTES - len(tail.encode())].decode(errors="ignore") + tail


def _escaped(value: str) -> str:
    """`value` with everything percent-encoded that a name can't hold; reversible, and plain text stays plain."""
    if not value:
        raise ValueError("a part of an object's key is empty")
    if len(value) <= MAX_VALUE_BYTES and _PLAIN.fullmatch(value):
        return value
    literal = _LOOKS_ESCAPED.sub("%25", value)
    return _shortened("".join(_hex(character) if _needs_escape(character) else character for character in literal))


def _shortened(value: str) -> str:
    encoded = value.encode()
    if len(encoded) <= MAX_VALUE_BYTES:
        return value
    tail = "~" + hashlib.sha256(encoded).hexdigest()[:32]
    return encoded[: MAX_VALUE_BYTES - len(tail)].decode(errors="ignore") + tail


def _needs_escape(character: str) -> bool:
    return character in _FORBIDDEN or unicodedata.category(character) in _INVISIBLE


def _hex(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode(errors="surrogatepass"))
