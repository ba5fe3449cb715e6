"""What a database says of its own tables: all that two schemas can differ in."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, inspect, text

from worker.store.tables.base import Base

TABLES = sorted(Base.metadata.tables)


def storage_settings(connection: Connection, table: str) -> list[str]:
    """PostgreSQL's storage settings of a table; empty on SQLite."""
    if connection.dialect.name != "postgresql":
        return []
    query = text("SELECT unnest(reloptions) FROM pg_class WHERE relname = :table ORDER BY 1")
    return list(connection.execute(query, {"table": table}).scalars())


def described(connection: Connection) -> dict[str, Any]:
    """Everything the database itself says of its tables, in an order that doesn't matter to it."""
    inspector = inspect(connection)
    found: dict[str, Any] = {}
    for table in TABLES:
        found[table] = {
            "columns": {
                column["name"]: (str(column["type"]), column["nullable"], column["default"])
                for column in inspector.get_columns(table)
            },
            "indexes": {
                str(index["name"]): {
                    "columns": index["column_names"],
                    "unique": bool(index["unique"]),
                    "where": {key: str(value) for key, value in index["dialect_options"].items() if "where" in key},
                }
                for index in inspector.get_indexes(table)
            },
            "checks": {check["name"]: check["sqltext"] for check in inspector.get_check_constraints(table)},
            "foreign": inspector.get_foreign_keys(table),
            "primary": inspector.get_pk_constraint(table),
            "settings": storage_settings(connection, table),
        }
    return found
