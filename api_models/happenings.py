"""The public events: in the event log, as server-sent events, and as webhooks."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Happening(StrEnum):
    """An event type. New types may be added; clients ignore unknown ones."""

    JOB_SUCCEEDED = "job.succeeded"
    """The audio is stored and recorded."""
    JOB_FAILED = "job.failed"
    """The job ended without audio; the data has the reason."""
    JOB_CANCELLED = "job.cancelled"
    """The job was cancelled."""
    JOB_EXPIRED = "job.expired"
    """The deadline passed before the job started."""
    BATCH_FINISHED = "batch.finished"
    """All jobs have finished. Sent again if jobs are retried."""
    TAKES_HELD = "takes.held"
    """Consecutive paid takes of a batch, or of a tenant's jobs of one model, were refused: the rest is held."""
    TAKES_RELEASED = "takes.released"
    """The held jobs were resumed."""
    ACCOUNT_HELD = "account.held"
    """The queue is held: credit, key, rate or storage."""
    ACCOUNT_RELEASED = "account.released"
    """The hold has ended."""
    ACCOUNT_LOW_BALANCE = "account.low_balance"
    """The account's balance is low."""
    ENDPOINT_DISABLED = "endpoint.disabled"
    """A webhook endpoint was disabled after failing for days, or at its own request."""


PROMISED: Final = frozenset(str(one) for one in Happening)
"""Events that webhooks deliver. Other events are in the log only."""
