"""Casts that are kept by name and version."""

from __future__ import annotations

from dataclasses import replace

from worker.scripts.cast.cast import Cast, cast_of
from worker.store.casts import CastRecord


def kept_cast(record: CastRecord, model: str = "") -> Cast:
    """Return the roles of a stored version. Raises InvalidInputError: a model has lost a voice without a fallback."""
    label = f"{record.name}@{record.version}"
    return replace(cast_of(record.roles, f"cast {label}", model), name=record.name, version=record.version)
