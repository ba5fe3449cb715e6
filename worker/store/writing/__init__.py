"""Bulk inserts."""
