"""The events that are promised to clients: in the pull log, as server-sent events, and as webhooks."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Happening(StrEnum):
    """One type of event. More may be added; a client passes over what it doesn't know."""

    JOB_SUCCEEDED = "job.succeeded"
    """Its audio is stored and recorded."""
    JOB_FAILED = "job.failed"
    """It ended without audio; the data says why."""
    JOB_CANCELLED = "job.cancelled"
    """Someone called it off."""
    JOB_EXPIRED = "job.expired"
    """Its deadline passed before it started."""
    BATCH_FINISHED = "batch.finished"
    """The last of its jobs is over. It comes again when some of them are tried again."""
    TAKES_HELD = "takes.held"
    """Paid takes of a batch, or of a tenant's jobs of one model, were refused one after another: the rest is held."""
    TAKES_RELEASED = "takes.released"
    """The held rest was resumed."""
    ACCOUNT_HELD = "account.held"
    """Something holds the queue: credit, key, rate or storage."""
    ACCOUNT_RELEASED = "account.released"
    """It holds it no longer."""
    ACCOUNT_LOW_BALANCE = "account.low_balance"
    """Little is left in the account."""
    ENDPOINT_DISABLED = "endpoint.disabled"
    """An endpoint of webhooks is sent nothing more, because it failed for long or asked for it."""


PROMISED: Final = frozenset(str(one) for one in Happening)
"""What an endpoint hears of. Other events are for the log alone."""
