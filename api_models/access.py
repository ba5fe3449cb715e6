"""Scopes of the HTTP API's keys."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Scope(StrEnum):
    """One permission. No scope includes another."""

    SUBMIT = "submit"
    """Submit jobs and batches."""
    READ = "read"
    """Read the tenant's jobs, batches, audio, events and spend."""
    OPERATE = "operate"
    """Cancel and retry; see what holds the queue, and the account's balance."""
    ADMIN = "admin"
    """Manage webhook endpoints and read their secrets; open and close gates, which affect every tenant."""


EVERYTHING: Final = frozenset(Scope)
"""An unrestricted key."""
