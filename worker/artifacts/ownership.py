"""Whose an object is, and what may be done to it: the one rule behind every delete and every overwrite.

An object belongs to the job (or, for a result file, the batch) that its metadata names. Ids are UUIDv7, so they sort by
the time of submission: under one key the later job replaces the earlier one's object and never the other way round.
What no metadata describes belongs to the user and is never touched.

Weakness: an object is looked at right before it is changed. A folder's writers hold a lock meanwhile; in a bucket
nothing holds off another writer, because not every S3 has conditional requests. There the database decides: keys name
their batch or job, and a worker asks whether the job is still its own before it uploads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from worker.artifacts.store import ArtifactStore, StoredObject

JOB: Final = "ttsq-job"
BATCH: Final = "ttsq-batch"
ATTEMPT: Final = "ttsq-attempt"
ADOPTED: Final = "ttsq-adopted"
"""Marks a file of the user's that the user has agreed to lose."""
RUN: Final = "ttsq-run"
"""The command that brought a copy here. Commands sort by their start: a later one's copies stay, whatever they hold."""


class Standing(StrEnum):
    """What stands under a key, as seen by a writer."""

    FREE = "free"
    """Nothing."""
    OWN = "own"
    """The writer's own object of an earlier attempt, or the very content that is to be written."""
    OLDER = "older"
    """An object of an earlier job or batch, which the writer supersedes."""
    NEWER = "newer"
    """An object of a later job, batch or attempt, by which the writer is superseded."""
    FOREIGN = "foreign"
    """A file of the user's, another line's audio of the same batch, or something that is no file."""


REPLACEABLE: Final = frozenset({Standing.FREE, Standing.OWN, Standing.OLDER})


@dataclass(frozen=True, slots=True)
class Owner:
    """Who claims an object, by the metadata it was stored with."""

    job: str | None = None
    batch: str | None = None
    """Alone it claims a result file."""

    @classmethod
    def of(cls, metadata: Mapping[str, str]) -> Owner:
        return cls(metadata.get(JOB), metadata.get(BATCH))

    def metadata(self) -> dict[str, str]:
        return {name: value for name, value in ((JOB, self.job), (BATCH, self.batch)) if value is not None}

    @property
    def is_named(self) -> bool:
        return self.job is not None or self.batch is not None

    def is_in(self, key: str) -> bool:
        """Whether the key names this owner, so that it can be no other's."""
        return any(name is not None and name in key for name in (self.job, self.batch))


def standing(found: StoredObject | None, metadata: Mapping[str, str], sha256: str | None) -> Standing:
    """What `found` is to a writer of this content (`sha256`, 64 hex digits) with this metadata. Pure."""
    if found is None:
        return Standing.FREE
    if not found.known:
        return Standing.OWN if sha256 is not None and found.sha256 == sha256 else Standing.FOREIGN
    theirs, ours = Owner.of(found.metadata), Owner.of(metadata)
    if not (ours.is_named and theirs.is_named):
        return Standing.OLDER
    if (theirs.job is None) != (ours.job is None):
        return Standing.FOREIGN
    their_run, our_run = found.metadata.get(RUN), metadata.get(RUN)
    if their_run and our_run and their_run != our_run:
        return Standing.OLDER if their_run < our_run else Standing.NEWER
    return _between(theirs, ours, is_earlier=_number(found.metadata) <= _number(metadata))


def _between(theirs: Owner, ours: Owner, *, is_earlier: bool) -> Standing:
    """Of two jobs, or two batches. `is_earlier` compares their attempts, should they be one and the same."""
    if theirs.job is not None and theirs.job == ours.job:
        return Standing.OWN if is_earlier else Standing.NEWER
    if theirs.batch is not None and theirs.batch == ours.batch:
        return Standing.OWN if ours.job is None else Standing.FOREIGN
    return Standing.OLDER if _age(theirs) < _age(ours) else Standing.NEWER


def belongs(found: StoredObject | None, owner: Owner, sha256: str | None) -> bool:
    """Whether the object is this owner's to delete; an undescribed one is where it has the recorded content. Pure."""
    if found is None:
        return False
    theirs = Owner.of(found.metadata)
    if found.known and theirs.is_named:
        return theirs.job == owner.job if owner.job is not None else theirs == Owner(batch=owner.batch)
    return sha256 is not None and found.sha256 == sha256


def remove(store: ArtifactStore, key: str, owner: Owner, *, sha256: str | None, forget: bool = True) -> bool:
    """Delete the object where it is this owner's. Returns whether it was; what belongs to others stays.

    Args:
        store: where it lies.
        key: its name there.
        owner: who is to have stored it.
        sha256: the content that is recorded for it, 64 hex digits.
        forget: drop what a folder remembers of that content too; False while another job needs it.

    Raises:
        ArtifactsError: the store can't be reached or refuses.
    """
    found = store.head(key)
    is_theirs = belongs(found, owner, sha256)
    if found is not None and is_theirs:
        store.delete(key, sha256=found.sha256, forget=forget)
    if forget and sha256 is not None:
        store.forget(key, sha256)
    return is_theirs


def _age(owner: Owner) -> str:
    """Sorts by the time of submission; ids are canonical, so text order is their order."""
    return owner.job or owner.batch or ""


def _number(metadata: Mapping[str, str]) -> int:
    """The attempt; without one, as of a file put back, it takes part in no race."""
    text = metadata.get(ATTEMPT, "")
    return int(text) if text.isdigit() else 0
