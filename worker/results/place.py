"""Where the result files of a batch go: beside its audio. A file there that is somebody else's is left alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote
from uuid import UUID

from worker.artifacts.keys import object_key
from worker.artifacts.partial import sha256_of
from worker.artifacts.store import ArtifactStore
from worker.results.files import CONTENT_TYPES, RESULTS, FileOf
from worker.store.batches import BatchRecord

BATCH: Final = "ttsq-batch"
"""What the metadata of a result file calls its batch: by that it is known to be one."""


@dataclass(frozen=True, slots=True)
class Place:
    """One folder of a store."""

    store: ArtifactStore
    folder: str
    """With a slash at its end, or empty: the store's own top."""

    @classmethod
    def of(cls, batch: BatchRecord, store: ArtifactStore) -> Place:
        """Where this batch's go, whose audio is in this store."""
        if batch.output_url is None:
            return cls(store, _shared_folder(batch))
        top = cls(store, "")
        # A run may be told to leave its audio in the very folder in which its own input is called `manifest.csv`.
        return top if all(top._is_free(name) for name in CONTENT_TYPES) else cls(store, f"results-{batch.id}/")

    @property
    def uri(self) -> str:
        """The folder's address."""
        return self.store.uri(f"{self.folder}{RESULTS}").rpartition("/")[0]

    def namer(self) -> FileOf:
        """What objects are called from here. Most lie right here, and taking each address apart would take longest."""
        here = f"{self.uri}/"
        read = unquote if here.startswith("file:") else str

        def file_of(uri: str) -> str | None:
            if uri.startswith(here):
                return read(uri.removeprefix(here))
            key = self.store.key_of(uri)
            return f"../{key}" if key is not None and self.folder.count("/") == 1 else None

        return file_of

    def put(self, source: Path, batch_id: UUID) -> None:
        """Store one of the files under its own name. Raises ArtifactsError."""
        self.store.put(
            f"{self.folder}{source.name}",
            source,
            content_type=CONTENT_TYPES[source.name],
            sha256=sha256_of(source),
            metadata={BATCH: str(batch_id)},
        )

    def _is_free(self, name: str) -> bool:
        """Whether there is nothing, or a result file of ours that is to be replaced."""
        found = self.store.head(name)
        return found is None or BATCH in found.metadata


def _shared_folder(batch: BatchRecord) -> str:
    """Where many batches share one store, however their audio is named there. No audio ends in `.jsonl` or `.csv`."""
    stem, _, ext = RESULTS.partition(".")
    key = object_key(
        "{tenant}/{batch}/{id}.{ext}",
        tenant=batch.tenant,
        batch=str(batch.id),
        custom_id=None,
        job=stem,
        model=stem,
        ext=ext,
    )
    return key.removesuffix(RESULTS)
