"""SQLAlchemy's `INSERT … ON CONFLICT`, which each dialect has under its own name."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def insert(dialect: str, table: Any) -> Any:  # noqa: ANN401 - one of two classes with the same methods
    """Import only the dialect in use: each has types and drivers of its own."""
    return import_module(f"sqlalchemy.dialects.{dialect}").insert(table)
