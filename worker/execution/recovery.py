"""Audio that was already paid for, looked for before paying again: stored, spooled here, or bought for a twin."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final

import structlog

from worker.artifacts.store import StoredObject
from worker.execution.places import Place
from worker.execution.sound import Sound, written
from worker.execution.spool import Receipt
from worker.execution.storing import described, named
from worker.store.database import Database
from worker.store.transitions import claiming
from worker.store.transitions.claiming import Claim
from worker.store.transitions.settling import StoredAudio

COPY: Final = "ttsq-copy"
"""What the metadata of an object says that was copied from another job's."""

log = structlog.get_logger("ttsq.execution")


@dataclass(frozen=True, slots=True)
class Recovered:
    """Audio of an earlier attempt, already under the job's key."""

    audio: StoredAudio
    receipt: Receipt
    source: int
    """The attempt that stored it."""
    is_copy: bool
    """It was bought for another job."""


def stored_before(claim: Claim, place: Place) -> Recovered | None:
    """An object that an attempt of this very job stored and died before recording."""
    found = place.store.head(place.key)
    if found is None or found.sha256 is None or not _is_ours(claim, found):
        return None
    log.info("recovered", source="store", uri=found.uri)
    return Recovered(
        described(
            found,
            sha256=found.sha256,
            duration_ms=_number(found.metadata.get("ttsq-duration-ms")),
            sound=written(found.metadata),
        ),
        Receipt(_cost(found), found.metadata.get("ttsq-request-id") or None),
        _number(found.metadata.get("ttsq-attempt")),
        is_copy=found.metadata.get(COPY) == "yes",
    )


def copied(database: Database, claim: Claim, place: Place) -> StoredAudio | None:
    """A copy of the audio that was bought for the same content; None where it is gone, so that a call must be made."""
    if claim.twin is None:
        return None
    with database.read() as connection:
        bought = claiming.bought(connection, claim.twin)
    if bought is None:
        return None
    sound = Sound(bought.peak_dbfs, bought.loudness_lufs, bought.silence_share)
    stored = place.store.copy(
        bought.uri,
        place.key,
        sha256=bought.sha256,
        metadata={
            **named(claim),
            "ttsq-cost": "0",
            "ttsq-cost-estimated": "no",
            COPY: "yes",
            "ttsq-duration-ms": str(bought.duration_ms),
            **sound.metadata(),
        },
    )
    if stored is None:
        return None
    return described(stored, sha256=bought.sha256, duration_ms=bought.duration_ms, sound=sound)


def _is_ours(claim: Claim, found: StoredObject) -> bool:
    return (
        found.metadata.get("ttsq-job") == str(claim.job_id)
        and found.metadata.get("ttsq-fingerprint") == claim.fingerprint
    )


def _cost(found: StoredObject) -> Decimal | None:
    """The cost as reported. An estimated one is left out, so that the record marks it as estimated again."""
    if found.metadata.get("ttsq-cost-estimated") == "yes":
        return None
    with suppress(InvalidOperation, KeyError):
        return Decimal(found.metadata["ttsq-cost"])
    return None


def _number(text: str | None) -> int:
    return int(text) if text and text.isdigit() else 0
