"""SQLAlchemy's `INSERT … ON CONFLICT`, which each dialect has under its own name."""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects import postgresql, sqlite


def insert(dialect: str, table: Any) -> Any:  # noqa: ANN401 - one of two classes with the same methods
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)
