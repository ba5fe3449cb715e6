"""Groupings of the spend report."""

from __future__ import annotations

from enum import StrEnum


class By(StrEnum):
    """One line per group."""

    DAY = "day"
    """UTC days."""
    MONTH = "month"
    """UTC calendar months, as in monthly budgets."""
    BATCH = "batch"
    """Batches; jobs without a batch form one line."""
    MODEL = "model"
    TENANT = "tenant"
