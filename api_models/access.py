"""What a key of the HTTP API may do."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Scope(StrEnum):
    """One kind of permission. None includes another."""

    SUBMIT = "submit"
    """Hand in jobs and batches."""
    READ = "read"
    """Look at jobs, batches, audio, events and money of the tenant."""
    OPERATE = "operate"
    """Cancel and retry; see what holds the whole queue, and what is left in the account."""
    ADMIN = "admin"
    """Make and change endpoints of webhooks, see their secrets; open and close gates, which concern every tenant."""


EVERYTHING: Final = frozenset(Scope)
"""A key without limits."""
