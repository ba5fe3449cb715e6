"""Migrated databases for the tests with other people's clients."""

from __future__ import annotations

from tests.databases import migrated_and_empty, migrated_file, migrated_template, on_postgresql, on_sqlite

__all__ = ["migrated_and_empty", "migrated_file", "migrated_template", "on_postgresql", "on_sqlite"]
