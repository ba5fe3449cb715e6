"""Casts as files: TOML and JSON hold roles by name, CSV one role a row."""

from __future__ import annotations

import csv
import io
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from api_models.problems import Fault, InvalidInputError
from worker.documents.errors import DocumentError
from worker.documents.readers.files import decoded
from worker.intake.header import split_header
from worker.intake.lines import DECODER, repeated_key
from worker.scripts.cast.cast import Cast, Role, cast_of
from worker.scripts.script import folded

SUFFIXES: Final = (".toml", ".json", ".csv")
MAX_CAST_BYTES: Final = 1_000_000
_NAMES: Final = frozenset({"speaker", "role", "name", "character"})
_LISTS: Final = frozenset({"aliases"})
_NUMBERS: Final = frozenset({"gain", "pace"})


def read_cast(path: Path, model: str = "") -> Cast:
    """Read a cast. `model` is for roles that name none. Raises InvalidInputError, OSError."""
    return cast_of(read_entries(path), path.name, model)


def read_entries(path: Path) -> Mapping[str, Any]:
    """Return the roles of a file, unchecked. Raises InvalidInputError: it can't be read; OSError."""
    if path.stat().st_size > MAX_CAST_BYTES:
        raise InvalidInputError(path.name, [Fault(message=f"has over {MAX_CAST_BYTES:,} bytes, which no cast has")])
    try:
        source = decoded(path.read_bytes(), "")
        return _parsed(source, path.suffix.lower())
    except DocumentError as error:
        raise InvalidInputError(path.name, [Fault(message=f"{error}; {error.remedy}".rstrip("; "))]) from None
    except (ValueError, RecursionError, csv.Error) as error:
        key = repeated_key(error) if isinstance(error, ValueError | RecursionError) else None
        message = f"names {key} twice; keep one" if key else f"can't be read: {str(error).lower()}"
        raise InvalidInputError(path.name, [Fault(message=message)]) from None


def _parsed(source: str, suffix: str) -> Mapping[str, Any]:
    if suffix == ".toml":
        return tomllib.loads(source)
    if suffix == ".csv":
        return _of_rows(source)
    if suffix == ".json":
        found = DECODER.decode(source.strip())
        if isinstance(found, dict):
            return found
        raise DocumentError("holds no object", 'write {"Anna": {"voice": "Kore"}}')
    raise DocumentError(f"{suffix or 'a file without a suffix'} is no cast", f"use {', '.join(SUFFIXES)}")


def _of_rows(source: str) -> dict[str, Any]:
    header = next((line for line in source.split("\n") if line.strip()), "")
    rows = csv.DictReader(io.StringIO(source, newline=""), delimiter=split_header(header).delimiter or ",")
    rows.fieldnames = [folded(name) for name in rows.fieldnames or ()]
    named = next((name for name in rows.fieldnames if name in _NAMES), None)
    if named is None:
        raise DocumentError("names no column speaker", "begin with a row such as speaker,voice,style")
    entries: dict[str, Any] = {}
    for row in rows:
        name = (row.pop(named) or "").strip()
        if name in entries:
            raise DocumentError(f"line {rows.line_num} names {name} twice", "keep one")
        if name:
            entries[name] = {key: _value(key, value.strip()) for key, value in row.items() if key and value}
    return entries


def _value(key: str, value: str) -> object:
    if key in _LISTS:
        return [one.strip() for one in value.split(";") if one.strip()]
    return value.replace(",", ".") if key in _NUMBERS else value


def toml(roles: Mapping[str, Role]) -> str:
    """Write roles as a TOML file."""
    return "\n".join(_table(name, role) for name, role in roles.items())


def _table(name: str, role: Role) -> str:
    lines = [f"[{json.dumps(name, ensure_ascii=False)}]"]
    lines += [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in entry_of(role).items()]
    return "\n".join(lines) + "\n"


def entry_of(role: Role) -> dict[str, Any]:
    """Return a role as files hold it, without what is usual."""
    found = {
        "voice": role.voice,
        "model": role.model,
        "style": role.style,
        "gain": role.gain_db,
        "pace": role.pace,
        "language": role.language,
        "fallback": role.fallback,
    }
    usual = {"style": "", "gain": 0.0, "pace": 1.0, "language": "", "fallback": ""}
    return {key: value for key, value in found.items() if usual.get(key) != value}
