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
    """Manage the tenant's webhook endpoints and read their secrets."""
    INSTALLATION = "installation"
    """Open and close gates, which hold the jobs of every tenant. No key has it unless it is named."""


EVERYTHING: Final = frozenset(Scope) - {Scope.INSTALLATION}
"""Everything that concerns one tenant: the scopes of a key for which none are named."""
