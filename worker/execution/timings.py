"""Stores when the sentences and words of a job's audio are heard, in a file beside it.

The audio is paid for and stored by then: whatever goes wrong here is logged, and never costs the job anything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import UUID

import structlog

from api_models.timings import Timings
from worker.audio.codec.pool import CodecPool
from worker.concurrency.futures import wait_for
from worker.environment import private_files
from worker.execution.aligner import Aligner
from worker.execution.context import AttemptContext
from worker.execution.destinations import Destination, Destinations
from worker.execution.upload import named
from worker.store.transitions.claims import Claim
from worker.store.transitions.settlement import StoredAudio

if TYPE_CHECKING:
    from worker.documents.captions.timeline import Timeline

SUFFIX: Final = ".timings.json"
CONTENT_TYPE: Final = "application/json"
AUDIO: Final = "ttsq-audio-sha256"
"""Metadata that names the audio whose times they are."""

log = structlog.get_logger("ttsq.execution")


@dataclass(frozen=True, slots=True)
class TimedAudio:
    """The audio of a job that succeeded."""

    uri: str
    sha256: str | None
    tenant: str
    batch_id: UUID | None


async def keep(
    context: AttemptContext, claim: Claim, destination: Destination, audio: StoredAudio, take: Path | None
) -> None:
    """Measure the take, or else the stored audio, and store its times beside it. Never raises.

    Of a document's part only recognised words are kept: pauses are measured when it is joined.
    """
    if claim.parent is not None and not context.aligner.is_available:
        return
    pools = context.pools
    names = "timed", "timed-wav", "timings"
    fetched, converted, written = (context.spool.part_path(claim.job_id, claim.attempt, name) for name in names)

    def fetch() -> Path:
        return decoded(destination, audio, fetched, converted, pools.codecs)

    def measure(wav: Path) -> Timeline:
        return measured(wav, claim.speech.text, claim.timings, context.aligner)

    try:
        wav = take if take is not None else await wait_for(pools.io.submit(fetch))
        found = await wait_for(pools.listening.submit(lambda: measure(wav)))
        await wait_for(pools.io.submit(lambda: put(claim, destination, audio, found.encode(), written)))
    except Exception as error:  # noqa: BLE001 - see the module
        log.warning("timings_lost", error=str(error).splitlines()[0] if str(error) else type(error).__name__)
    finally:
        for path in (fetched, converted, written):
            path.unlink(missing_ok=True)


def decoded(
    destination: Destination, audio: StoredAudio | TimedAudio, into: Path, wav: Path, codecs: CodecPool
) -> Path:
    """Fetch stored audio and return its WAV. Raises ArtifactsError; BadAudioError: it can't be decoded; OSError;
    FileNotFoundError: it is gone.
    """
    key = destination.store.key_of(audio.uri) or destination.key
    if destination.store.fetch(key, into, sha256=audio.sha256) is None:
        raise FileNotFoundError(f"the audio {audio.uri} is gone")
    return codecs.inspect(into, wav, is_measured=False).take.path


def measured(wav: Path, text: str, level: Timings, aligner: Aligner | None = None) -> Timeline:
    """Return the times of one take, with recognised words where they can be told. Raises BadAudioError; DocumentError:
    it is silent, or too long.
    """
    # Imported here, because only jobs with timings need the sentence splitter.
    from worker.documents.captions.cues import NOTHING_HEARD  # noqa: PLC0415
    from worker.documents.captions.timeline import of_take, timeline  # noqa: PLC0415 - likewise
    from worker.documents.plan.languages import guess  # noqa: PLC0415 - likewise

    take = of_take(wav)
    words = () if aligner is None or level is Timings.PART else aligner.words(wav, text, "")
    return timeline([text], guess(text), take, level, {0: words} if words else NOTHING_HEARD)


def put(claim: Claim, destination: Destination, audio: StoredAudio, content: str, path: Path) -> None:
    """Store the times beside the audio. Raises ArtifactsError; NameTakenError; ValueError: the name is too long."""
    private_files.write(path, content.encode())
    key = (destination.store.key_of(audio.uri) or destination.key) + SUFFIX
    sha256 = hashlib.sha256(content.encode()).hexdigest()
    metadata = {**named(claim), AUDIO: audio.sha256}
    destination.store.put(key, path, content_type=CONTENT_TYPE, sha256=sha256, metadata=metadata)


def stored(destinations: Destinations, audio: TimedAudio) -> Timeline | None:
    """Return the times stored beside this audio; None without any. Raises ArtifactsError."""
    from worker.documents.captions.timeline import Timeline  # noqa: PLC0415 - as above

    place = destinations.containing(audio.uri, tenant=audio.tenant, batch_id=audio.batch_id)
    if place is None:
        return None
    found = place.store.head(place.key + SUFFIX)
    if found is None or found.metadata.get(AUDIO) != audio.sha256:
        return None
    blocks: Iterable[bytes] = place.store.read(place.key + SUFFIX) or ()
    try:
        return Timeline.decode(b"".join(blocks))
    except ValueError:
        return None
