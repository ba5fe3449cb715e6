"""What every place for audio can do. The only words in which the rest of the program speaks about storage.

The implementations are `FolderStore` and `S3Store`; one conformance suite runs against both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object as the store knows it."""

    key: str
    """Relative to the store's own root or prefix."""
    uri: str
    """The whole address: `s3://bucket/prefix/key` with the key as it is, or a percent-encoded `file:///…`."""
    size: int
    """Bytes."""
    sha256: str | None
    """64 hex digits; None where the store doesn't know it (an object that something else put there)."""
    content_type: str
    metadata: Mapping[str, str]
    """As given to `put` or `copy`."""


class ArtifactStore(Protocol):
    """A place for audio. Safe to use from any number of threads and processes at once.

    Every method raises `ArtifactsError` when the store is in trouble, and ValueError for a key that could leave the
    store or a metadata name other than lowercase letters, digits and hyphens. Metadata values may be any text.
    """

    url: str
    """The address this store was opened with, without credentials."""

    def uri(self, key: str) -> str:
        """The address that an object under `key` has, whether or not there is one."""

    def check(self) -> None:
        """Prove that audio could be written and found again right now, by doing so."""

    def put(
        self, key: str, source: Path, *, content_type: str, sha256: str, metadata: Mapping[str, str]
    ) -> StoredObject:
        """Store the file under `key`, replacing what is there. It becomes visible whole or not at all.

        Raises:
            ArtifactsError: `bad_checksum` where the content isn't the one that `sha256` (64 hex digits) names.
            OSError: the source can't be read.
        """

    async def putting(
        self, key: str, source: Path, *, content_type: str, sha256: str, metadata: Mapping[str, str]
    ) -> StoredObject:
        """As `put`, for one whose thread is not to wait: what would block is done where its switchboard says."""

    def head(self, key: str) -> StoredObject | None:
        """What is stored under `key`; None only when the store is well and has no such object."""

    def copy(
        self, source_uri: str, key: str, *, metadata: Mapping[str, str], sha256: str | None = None
    ) -> StoredObject | None:
        """Copy from this store, or another of the same kind, without the bytes passing through here.

        Content type and checksum are kept.

        `sha256` names the content that is wanted, should something else have taken the source's place meanwhile.
        None where the source is gone, is another content, was changed by another hand, or can't be reached from here.
        """

    def fetch(self, key: str, into: Path) -> StoredObject | None:
        """Stream the object into a file that appears only when whole; None where there is no such object."""

    def key_of(self, uri: str) -> str | None:
        """The key of an object by its address; None where the address isn't one of this store's."""

    def read(self, key: str, *, start: int = 0, length: int | None = None) -> Iterator[bytes] | None:
        """A part of the object's bytes, block by block; None where there is no such object. Nothing is held whole.

        What the object doesn't have is left out: a part that begins behind its end is empty.
        """

    def link(self, key: str, *, seconds: int, name: str | None = None) -> str | None:
        """An address at which anybody can read the object for so long, under this file name; None where there is none.

        A folder has no such addresses. Whether the object exists is not looked at.
        """

    def delete(self, key: str) -> None:
        """Remove the object; no error where there is none."""

    def close(self) -> None:
        """Give back the connections; the store isn't used afterwards."""
