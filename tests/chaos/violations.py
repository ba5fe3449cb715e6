"""What must not be in a history. Data only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class Breach(StrEnum):
    """A promise of the queue that was broken."""

    LOST = "lost"
    """A job was confirmed to its producer and is no row."""
    UNFINISHED = "unfinished"
    """A job has not ended, long after everything was repaired."""
    FAILED = "failed"
    """A job ended without audio, though nothing was wrong with it."""
    RECORDED_TWICE = "recorded twice"
    """More than one attempt ended the same job well."""
    NOT_RECORDED = "not recorded"
    """A job succeeded, and no attempt says so."""
    OBJECT_MISSING = "object missing"
    OBJECT_CHANGED = "object changed"
    """What is stored is not what the row says."""
    ORPHAN = "orphan"
    """An object that no row names."""
    CHARGED_UNBILLED = "charged, not billed"
    """The ledger has a cost that the API never charged."""
    CHARGED_TWICE = "charged twice"
    """The ledger has one charge of the API in two rows."""
    WRONG_COST = "wrong cost"
    """The ledger and the API name different amounts for one call."""
    BILLED_UNNOTICED = "billed, not noticed"
    """The API charged a call that no row has, nor says it may have been billed."""
    WRONG_SUM = "wrong sum"
    """A job's cost isn't what its attempts add up to."""
    BOUGHT_AGAIN = "bought again"
    """More was paid for twice than kills and cuts account for."""
    TOO_SLOW = "too slow"
    """Something came about, but later than it must."""
    LEFT_IN_SPOOL = "left in spool"
    LEFT_IN_BROKER = "left in broker"
    GATE_CLOSED = "gate closed"
    """Something still holds the queue."""
    SURPRISED = "surprised"
    """A worker met an unexpected error."""
    LEFT_BY_ITSELF = "left by itself"
    """A worker that had signed on ended without having been told to."""
    RUN_FAILED = "run failed"
    """The run itself did not go as it should."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One breach."""

    breach: Breach
    words: str
    job_id: UUID | None = None
