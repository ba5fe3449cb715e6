"""Finds audio that an earlier attempt of this job stored, before paying again."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final

import structlog

from worker.artifacts.ownership import JOB
from worker.artifacts.store import StoredObject
from worker.execution.copies import COPY
from worker.execution.destinations import Destination
from worker.execution.encoding import sound_from_metadata
from worker.execution.spool import Receipt
from worker.execution.upload import described
from worker.segmind import account
from worker.store.transitions.claims import Claim
from worker.store.transitions.settlement import StoredAudio

MAX_DIGITS: Final = 9
"""Bounds numbers in object metadata, which anyone with bucket access may have changed."""

log = structlog.get_logger("ttsq.execution")


@dataclass(frozen=True, slots=True)
class Recovered:
    """An earlier attempt's audio, already under the job's key."""

    audio: StoredAudio
    receipt: Receipt
    source: int
    """Number of the attempt that stored it."""
    is_copy: bool
    """It was bought for another job."""
    content: str
    """Fingerprint, including the API that it was bought from."""


def stored_before(claim: Claim, destination: Destination) -> Recovered | None:
    """An object that an attempt stored before it crashed unrecorded."""
    found = stored_for(claim, destination)
    if found is None or found.content != claim.fingerprint:
        return None
    log.info("recovered", source="store", uri=found.audio.uri)
    return found


def stored_for(claim: Claim, destination: Destination) -> Recovered | None:
    """Like `stored_before`, from whichever API it was bought."""
    found = _own_object(claim, destination)
    if found is None or found.sha256 is None:
        return None
    return Recovered(
        described(
            found,
            sha256=found.sha256,
            duration_ms=number_of(found.metadata.get("ttsq-duration-ms")),
            sound=sound_from_metadata(found.metadata),
        ),
        Receipt(reported_cost(found), found.metadata.get("ttsq-request-id") or None),
        number_of(found.metadata.get("ttsq-attempt")),
        is_copy=found.metadata.get(COPY) == "yes",
        content=found.metadata.get("ttsq-fingerprint", ""),
    )


def _own_object(claim: Claim, destination: Destination) -> StoredObject | None:
    """The job's object under its first name that no foreign file occupies."""
    for name in destination.names(claim.job_id):
        found = destination.store.occupant(name)
        if found is None or found.metadata.get(JOB) == str(claim.job_id):
            return found
    return None


def reported_cost(found: StoredObject) -> Decimal | None:
    """The reported cost; None for an estimate, so that the record is marked as estimated again."""
    if found.metadata.get("ttsq-cost-estimated") == "yes":
        return None
    with suppress(InvalidOperation, KeyError):
        return account.credible(Decimal(found.metadata["ttsq-cost"]))
    return None


def number_of(text: str | None) -> int:
    """A number in an object's metadata; 0 for what is none."""
    return int(text[:MAX_DIGITS]) if text and text.isascii() and text.isdigit() else 0
