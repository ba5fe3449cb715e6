"""What every place for audio can do. The only words in which the rest of the program speaks about storage.

The implementations are `FolderStore` and `S3Store`; one conformance suite runs against both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StoredObject:
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
    known: bool = True
    """Whether a store of ours described it; False for what something else put there or changed since."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An object that should be there, as a job's row records it."""

    key: str
    sha256: str
    """64 hex digits."""
    size: int | None = None
    """Bytes; None where it isn't recorded."""


class ArtifactStore(Protocol):
    """A place for audio. Safe to use from any number of threads and processes at once.

    Every method raises `ArtifactsError` when the store fails, and ValueError for a key that could leave the
    store or a metadata name other than lowercase letters, digits and hyphens. Metadata values may be any text.
    """

    url: str
    """The address this store was opened with, without credentials."""

    def uri(self, key: str) -> str:
        """The address that an object under `key` has, whether or not there is one."""

    def check(self) -> None:
        """Prove that audio could be written and found again right now, by doing so."""

    def forecast(self) -> None:
        """As `check`, leaving this machine's disk as it is: a folder is neither created nor written to."""

    def put(
        self, key: str, source: Path, *, content_type: str, sha256: str, metadata: Mapping[str, str]
    ) -> StoredObject:
        """Store the file under `key`, replacing what `ownership` allows. It becomes visible whole or not at all.

        Where a later job's object has the key, a folder keeps the content out of sight, to be read by its checksum.

        Raises:
            ArtifactsError: `bad_checksum` where the content isn't the one that `sha256` (64 hex digits) names.
            NameTakenError: what has the key may not be replaced. Nothing was stored.
            OSError: the source can't be read.
        """

    async def put_async(
        self, key: str, source: Path, *, content_type: str, sha256: str, metadata: Mapping[str, str]
    ) -> StoredObject:
        """As `put`, for one whose thread is not to wait: what would block is done where its switchboard says."""

    def head(self, key: str) -> StoredObject | None:
        """What is stored under `key`; None only when the store is well and has no such object."""

    def occupant(self, key: str) -> StoredObject | None:
        """What would be replaced by a `put`: as `head`, and whatever else has the name (a folder, a link)."""

    def keys_in(self, folder: str) -> list[str]:
        """The keys of what lies directly in a folder, in no order; none where there is no such folder."""

    def unsound(self, wanted: Sequence[Wanted]) -> dict[str, StoredObject | None]:
        """Those of the objects that aren't there as recorded, by key, with what is there instead.

        A folder compares checksums. A bucket compares the checksums in the metadata of up to 1,000 objects; of more it
        compares sizes, from a listing, which asks one request for every 1,000.
        """

    def copy(
        self, source_uri: str, key: str, *, metadata: Mapping[str, str], sha256: str | None = None
    ) -> StoredObject | None:
        """Copy from this store, or another of the same kind, without the bytes passing through here.

        Content type and checksum are kept.

        `sha256` names the content that is wanted, should something else have taken the source's place meanwhile. None
        where the source is gone, is another content, was changed by another hand, or can't be reached from here. Raises
        NameTakenError: what has the key may not be replaced.
        """

    def fetch(self, key: str, into: Path, *, sha256: str | None = None) -> StoredObject | None:
        """Stream the object into a file that appears only when whole, replacing what is there.

        None where there is no such object, or not with this content.
        """

    def key_of(self, uri: str) -> str | None:
        """The key of an object by its address; None where the address isn't one of this store's."""

    def read(
        self, key: str, *, start: int = 0, length: int | None = None, sha256: str | None = None
    ) -> Iterator[bytes] | None:
        """A part of the object's bytes, block by block; None where there is no such object. Nothing is held whole.

        `sha256` names the content that is wanted: a folder also looks among those that were replaced since. What the
        object doesn't have is left out: a part that begins behind its end is empty.
        """

    def link(self, key: str, *, seconds: int, name: str | None = None) -> str | None:
        """An address at which anybody can read the object for so long, under this file name; None where there is none.

        A folder has no such addresses. Whether the object exists is not looked at.
        """

    def delete(self, key: str, *, sha256: str | None = None, forget: bool = True) -> None:
        """Remove the object; no error where there is none. Only `ownership.remove` decides whether it may go.

        With `sha256`, a folder removes that very content alone; with `forget`, it remembers nothing of it.
        """

    def forget(self, key: str, sha256: str) -> None:
        """Drop a content that once lay under `key` and was replaced. A bucket remembers none."""

    def close(self) -> None:
        """Give back the connections; the store isn't used afterwards."""
