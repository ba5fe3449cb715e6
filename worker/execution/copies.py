"""Copies audio bought for another job with the same content instead of paying again.

Sources may be gone, changed or unreachable, so several are tried: first the one that the dispatcher named, then the
newest of each batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from api_models.encodings import AudioTags
from api_models.formats import AudioFormat
from worker.artifacts.errors import ArtifactsError, NameTakenError
from worker.artifacts.store import StoredObject
from worker.audio.id3 import retag
from worker.execution.destinations import Destination, Destinations
from worker.execution.encoding import Sound
from worker.execution.spool import Spool
from worker.execution.upload import described, file_sha256, named
from worker.store.database import Database
from worker.store.transitions import claims
from worker.store.transitions.claims import Bought, Claim
from worker.store.transitions.settlement import StoredAudio

COPY: Final = "ttsq-copy"
"""Metadata that marks an object as a copy of another job's audio."""

log = structlog.get_logger("ttsq.execution")


@dataclass(frozen=True, slots=True)
class CopySource:
    claim: Claim
    destination: Destination
    database: Database
    destinations: Destinations
    spool: Spool

    def copied(self) -> StoredAudio | None:
        """Return the copy, or None if no source has the audio any more and a call is needed.

        Raises ArtifactsError during a store outage, and SQLAlchemyError.
        """
        for bought in self._sources():
            stored = self._retagged(bought) if self._differs(bought) else self._stored(bought)
            if stored is not None:
                return stored
        return None

    def _sources(self) -> Iterator[Bought]:
        """The likely sources first; the others are queried only if those fail."""
        if self.claim.parent is not None:
            with self.database.read() as connection:
                yield from claims.pinned(connection, self.claim.fingerprint)
        likely = {job for job in (self.claim.copies, self.claim.twin) if job is not None}
        with self.database.read() as connection:
            first = claims.bought(connection, likely, self.claim.fingerprint)
        yield from first
        with self.database.read() as connection:
            others = claims.bought_elsewhere(connection, self.claim.fingerprint)
        tried = {bought.uri for bought in first}
        yield from (bought for bought in others if bought.uri not in tried)

    def _stored(self, bought: Bought) -> StoredAudio | None:
        stored = self._placed(lambda name: self._copy(bought, name) or self._transfer(bought, name))
        return None if stored is None else self._described(stored, bought, bought.sha256)

    def _placed(self, store: Callable[[str], StoredObject | None]) -> StoredObject | None:
        """Store under the job's own key, or next to it if that is taken."""
        *names, last = self.destination.names(self.claim.job_id)
        for name in names:
            try:
                return store(name)
            except NameTakenError as error:
                log.warning("name_taken", uri=error.uri)
        return store(last)

    def _described(self, stored: StoredObject, bought: Bought, sha256: str) -> StoredAudio:
        return described(stored, sha256=sha256, duration_ms=bought.duration_ms, sound=_sound(bought))

    def _differs(self, bought: Bought) -> bool:
        """Whether the source has tags of its own: a plain copy would show another job's title."""
        is_mp3 = self.claim.audio_format is AudioFormat.MP3
        return is_mp3 and AudioTags.read(bought.audio_tags) != self.claim.audio_tags

    def _retagged(self, bought: Bought) -> StoredAudio | None:
        """Copy through this machine, with the job's own tags."""
        source = self.destinations.containing(bought.uri, tenant=bought.tenant, batch_id=bought.batch_id)
        path = self.spool.copy_path(self.claim.job_id, self.claim.attempt)
        try:
            if source is None or source.store.fetch(source.key, path, sha256=bought.sha256) is None:
                return None
            retag(path, path, self.claim.audio_tags)
            sha256 = file_sha256(path)
            stored = self._placed(lambda name: self._put(bought, name, path, sha256))
        except ArtifactsError as error:
            self._raise_transient(error, bought)
            return None
        finally:
            path.unlink(missing_ok=True)
        return None if stored is None else self._described(stored, bought, sha256)

    def _copy(self, bought: Bought, key: str) -> StoredObject | None:
        return self.destination.store.copy(bought.uri, key, sha256=bought.sha256, metadata=self._metadata(bought))

    def _transfer(self, bought: Bought, key: str) -> StoredObject | None:
        """Copy through this machine, from a store of another kind."""
        source = self.destinations.containing(bought.uri, tenant=bought.tenant, batch_id=bought.batch_id)
        if source is None or _scheme(source.store.url) == _scheme(self.destination.store.url):
            return None
        path = self.spool.copy_path(self.claim.job_id, self.claim.attempt)
        try:
            if source.store.fetch(source.key, path, sha256=bought.sha256) is None:
                return None
            return self._put(bought, key, path, bought.sha256)
        except ArtifactsError as error:
            self._raise_transient(error, bought)
            return None
        finally:
            path.unlink(missing_ok=True)

    def _put(self, bought: Bought, key: str, path: Path, sha256: str) -> StoredObject:
        return self.destination.store.put(
            key, path, content_type=bought.content_type, sha256=sha256, metadata=self._metadata(bought)
        )

    def _raise_transient(self, error: ArtifactsError, bought: Bought) -> None:
        if error.transient:
            raise error
        log.warning("copy_source_unreachable", uri=bought.uri, error=error.message)

    def _metadata(self, bought: Bought) -> dict[str, str]:
        return {
            **named(self.claim),
            "ttsq-cost": "0",
            "ttsq-cost-estimated": "no",
            COPY: "yes",
            "ttsq-duration-ms": str(bought.duration_ms),
            **_sound(bought).metadata(),
        }


def _sound(bought: Bought) -> Sound:
    return Sound(bought.peak_dbfs, bought.loudness_lufs, bought.silence_share)


def _scheme(url: str) -> str:
    return url.partition(":")[0]
