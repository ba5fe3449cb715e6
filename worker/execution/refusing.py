"""Refused takes, kept beside the job's audio so that somebody can listen to them. Losing one must hold up nothing."""

from __future__ import annotations

import hashlib

import structlog

from worker.artifacts.errors import ArtifactsError
from worker.execution.accepting import Refused
from worker.execution.places import Place
from worker.execution.spool import Receipt
from worker.store.transitions.claiming import Claim

log = structlog.get_logger("ttsq.execution")


def kept(claim: Claim, place: Place, refused: Refused, receipt: Receipt) -> str | None:
    """The address of the take that was refused; None where there is nothing to hear, or it could not be kept."""
    if refused.path is None:
        return None
    try:
        with refused.path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        stored = place.store.put(
            place.refused_key(claim.attempt, refused.container.extension),
            refused.path,
            content_type=refused.container.content_type,
            sha256=sha256,
            metadata={
                "ttsq-job": str(claim.job_id),
                "ttsq-attempt": str(claim.attempt),
                "ttsq-request-id": receipt.request_id or "",
                "ttsq-refused": refused.finding,
            },
        )
    except (ArtifactsError, OSError, ValueError) as error:
        log.warning("refused_take_lost", error=str(error).splitlines()[0])
        return None
    return stored.uri
