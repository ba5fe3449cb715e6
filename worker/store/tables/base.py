"""What all tables share. A test compares the tables with the migrations on both databases."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import (
    Index,
    MetaData,
    Text,
    Uuid,
)
from sqlalchemy import text as sql
from sqlalchemy.orm import DeclarativeBase

from worker.store.types import Instant, Money

NO_LANE: Final = UUID(int=0)
"""The lane of jobs without a batch."""

VACUUM_EARLY: Final = {"autovacuum_vacuum_scale_factor": 0.02, "autovacuum_analyze_scale_factor": 0.02}
"""For tables whose rows change state: dead rows collect at the front of the indexes that every tick reads."""


class Base(DeclarativeBase):
    """Fixes the names of constraints, so that migrations can refer to them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        datetime: Instant(),
        Decimal: Money(),
        UUID: Uuid(),
        str: Text(),
    }


def partial_index(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    condition = sql(where)
    return Index(name, *columns, unique=unique, postgresql_where=condition, sqlite_where=condition)
