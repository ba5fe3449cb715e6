"""Stores where a job's audio is from, in a file beside it: text hash, model, call, cost, checks, versions, checksum.

The file holds no text, so it can be passed on with the audio. The audio is paid for and stored by then: whatever goes
wrong here is logged, and never costs the job anything.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version
from typing import Any, Final

import structlog

from worker.concurrency.futures import wait_for
from worker.environment import private_files
from worker.execution.context import AttemptContext
from worker.execution.destinations import Destination
from worker.execution.upload import named
from worker.store.transitions import claims
from worker.store.transitions.claims import Claim
from worker.store.transitions.settlement import Settlement, StoredAudio

SUFFIX: Final = ".provenance.json"
FORMAT: Final = "ttsq-provenance/1"
CONTENT_TYPE: Final = "application/json"
AUDIO: Final = "ttsq-audio-sha256"
"""Metadata that names the audio that the file describes."""

log = structlog.get_logger("ttsq.execution")


async def keep(context: AttemptContext, claim: Claim, destination: Destination, settlement: Settlement) -> None:
    """Store the provenance of a job that has its audio, if the job or the settings ask for it. Never raises."""
    if settlement.audio is None or not (claim.provenance or context.provenance):
        return
    try:
        content = json.dumps(of(claim, settlement, context.heartbeat.now()), ensure_ascii=False, indent=1) + "\n"
        await wait_for(context.pools.io.submit(lambda: _put(context, claim, destination, settlement, content)))
    except Exception as error:  # noqa: BLE001 - see the module
        log.warning("provenance_lost", error=str(error).splitlines()[0] if str(error) else type(error).__name__)


def of(claim: Claim, settlement: Settlement, at: datetime) -> dict[str, Any]:
    """What is known of a job's audio at the end of the attempt that has it."""
    audio, speech = settlement.audio, claim.speech
    assert audio is not None  # noqa: S101 - for mypy: only a job with audio has a provenance
    return {
        "format": FORMAT,
        "job": {
            "id": str(claim.job_id),
            "custom_id": claim.custom_id,
            "tenant": claim.tenant,
            "batch": None if claim.batch_id is None else str(claim.batch_id),
            "content": claim.fingerprint,
        },
        "text": {"sha256": text_sha256(speech.text), "characters": len(speech.text)},
        "model": speech.model,
        "voices": [voice for voice in (speech.voice_1, speech.voice_2) if voice is not None],
        "parameters": _parameters(speech.body(), speech.text),
        "audio": {
            "sha256": audio.sha256,
            "bytes": audio.audio_bytes,
            "content_type": audio.content_type,
            "duration_ms": audio.duration_ms,
        },
        "call": {
            "verdict": str(settlement.verdict),
            "request_id": settlement.request_id,
            "cost": f"{settlement.cost:f}",
            "cost_estimated": settlement.cost_estimated,
            "attempt": claim.attempt,
            "attempt_of_the_call": settlement.source,
            "takes_refused_before": claim.takes_used,
        },
        "scores": _scores(audio, settlement),
        "versions": {"ttsq": version("ttsq"), "python": platform.python_version()},
        "at": at.isoformat(),
    }


def text_sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _parameters(body: Mapping[str, object], text: str) -> dict[str, object]:
    """What was sent beside the text."""
    return {name: value for name, value in body.items() if value != text}


def _scores(audio: StoredAudio, settlement: Settlement) -> dict[str, object]:
    code, message = settlement.remark or (settlement.code, settlement.message)
    return {
        "peak_dbfs": audio.peak_dbfs,
        "loudness_lufs": audio.loudness_lufs,
        "silence_share": audio.silence_share,
        "doubt": code,
        "reason": message,
    }


def _put(context: AttemptContext, claim: Claim, destination: Destination, settlement: Settlement, content: str) -> None:
    """Store the file. Raises ArtifactsError; NameTakenError; ValueError: the name is too long; OSError."""
    audio, written = settlement.audio, context.spool.part_path(claim.job_id, claim.attempt, "provenance")
    assert audio is not None  # noqa: S101 - as above
    if not claim.provenance:
        with context.database.begin() as connection:  # before the file is there, so that a purge finds it
            claims.note_provenance(connection, claim)
    try:
        private_files.write(written, content.encode())
        key = (destination.store.key_of(audio.uri) or destination.key) + SUFFIX
        sha256 = hashlib.sha256(content.encode()).hexdigest()
        metadata = {**named(claim), AUDIO: audio.sha256}
        destination.store.put(key, written, content_type=CONTENT_TYPE, sha256=sha256, metadata=metadata)
    finally:
        written.unlink(missing_ok=True)
