"""The database tables. Change their shape only by a migration. Importing the package completes `Base.metadata`."""

from worker.store.tables import (
    access,
    account,
    casts,
    console,
    inbox,
    jobs,
    lexicons,
    openai,
    schedules,
    takes,
    totals,
    webhooks,
    workers,
)

__all__ = [
    "access",
    "account",
    "casts",
    "console",
    "inbox",
    "jobs",
    "lexicons",
    "openai",
    "schedules",
    "takes",
    "totals",
    "webhooks",
    "workers",
]
