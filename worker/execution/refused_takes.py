"""Keeps refused takes next to the job's audio, for listening. A failure to keep one must not delay the job."""

from __future__ import annotations

import hashlib

import structlog

from worker.artifacts import ownership
from worker.artifacts.errors import ArtifactsError, NameTakenError
from worker.artifacts.keys import beside
from worker.artifacts.ownership import Owner
from worker.execution.acceptance import Refused
from worker.execution.destinations import Destination
from worker.execution.spool import Receipt
from worker.execution.upload import named
from worker.store.transitions.claims import Claim

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
            metadata={**named(claim), "ttsq-request-id": receipt.request_id or "", "ttsq-refused": refused.finding},
        )
    except (ArtifactsError, NameTakenError, OSError, ValueError) as error:
        log.warning("refused_take_lost", error=str(error).splitlines()[0])
        return None
    return stored.uri


def _free_key(claim: Claim, destination: Destination, refused: Refused) -> str:
    """Adds the job's id if another batch's refused take has that name."""
    key = destination.refused_key(claim.attempt, refused.container.extension)
    found, owner = destination.store.occupant(key), Owner(job=str(claim.job_id))
    return key if found is None or ownership.belongs(found, owner, None) else beside(key, str(claim.job_id))
