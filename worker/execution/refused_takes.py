"""Keeps refused takes next to the job's audio, for listening. A failure to keep one must not delay the job."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import structlog

from worker.artifacts import ownership
from worker.artifacts.errors import ArtifactsError, NameTakenError
from worker.artifacts.keys import beside
from worker.artifacts.ownership import ATTEMPT, JOB, Owner
from worker.artifacts.store import StoredObject
from worker.execution.acceptance import Refused
from worker.execution.destinations import Destination
from worker.execution.recovery import number_of, reported_cost
from worker.execution.settlements import cost_of
from worker.execution.spool import Receipt
from worker.execution.upload import costs, named
from worker.store.transitions.claims import Claim

FINDING: Final = "ttsq-refused"
"""Metadata that says why a take was refused."""


@dataclass(frozen=True, slots=True)
class Taken:
    uri: str
    attempt: int
    receipt: Receipt
    finding: str


log = structlog.get_logger("ttsq.execution")


def kept(claim: Claim, destination: Destination, refused: Refused, receipt: Receipt) -> str | None:
    """The URI of the refused take; None if it is inaudible or could not be stored."""
    if refused.path is None:
        return None
    try:
        with refused.path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        stored = destination.store.put(
            _free_key(claim, destination, refused),
            refused.path,
            content_type=refused.container.content_type,
            sha256=sha256,
            metadata=_described(claim, refused, receipt),
        )
    except (ArtifactsError, NameTakenError, OSError, ValueError) as error:
        log.warning("refused_take_lost", error=str(error).splitlines()[0])
        return None
    return stored.uri


def _described(claim: Claim, refused: Refused, receipt: Receipt) -> dict[str, str]:
    """What the ledger needs to know of a take, should it be restored from a backup of before."""
    cost = cost_of(claim.speech.model, receipt.cost, billed=True, characters=len(claim.speech.text))
    return {
        **named(claim),
        **costs(cost),
        "ttsq-request-id": receipt.request_id or "",
        FINDING: refused.finding,
    }


def taken_before(claim: Claim, destination: Destination, names: Iterable[str]) -> list[Taken]:
    """The refused takes of a job among these keys of its folder, the earliest first. Raises ArtifactsError."""
    _, stem = destination.refused_stem
    found = (destination.store.head(name) for name in names if name.rpartition("/")[2].startswith(stem))
    own = (one for one in found if one is not None and one.metadata.get(JOB) == str(claim.job_id))
    return sorted((_taken(one) for one in own if FINDING in one.metadata), key=lambda take: take.attempt)


def _taken(found: StoredObject) -> Taken:
    return Taken(
        found.uri,
        number_of(found.metadata.get(ATTEMPT)),
        Receipt(reported_cost(found), found.metadata.get("ttsq-request-id") or None),
        found.metadata[FINDING],
    )


def _free_key(claim: Claim, destination: Destination, refused: Refused) -> str:
    """Adds the job's id if another batch's refused take has that name."""
    key = destination.refused_key(claim.attempt, refused.container.extension)
    found, owner = destination.store.occupant(key), Owner(job=str(claim.job_id))
    return key if found is None or ownership.belongs(found, owner, None) else beside(key, str(claim.job_id))
