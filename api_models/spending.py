"""What spending can be told apart by."""

from __future__ import annotations

from enum import StrEnum


class By(StrEnum):
    """One line of the account for each of these."""

    DAY = "day"
    """Days of UTC."""
    MONTH = "month"
    """Calendar months of UTC, as the monthly budgets."""
    BATCH = "batch"
    """Jobs that were handed in together; those without a batch are one line."""
    MODEL = "model"
    """Models of the registry."""
    TENANT = "tenant"
    """Those whose jobs and budgets are kept apart."""
