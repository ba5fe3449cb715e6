"""Where the result files of a batch go: beside its audio. A file there that is somebody else's is left alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote
from uuid import UUID

from worker.artifacts.keys import object_key
from worker.artifacts.ownership import BATCH, REPLACEABLE, standing
from worker.artifacts.partial import sha256_of
from worker.artifacts.store import ArtifactStore
from worker.results.files import CONTENT_TYPES, RESULTS, FileOf
from worker.store.batches import BatchRecord


@dataclass(frozen=True, slots=True)
class ResultsDestination:
    """One folder of a store."""

    store: ArtifactStore
    folder: str
    """With a slash at its end, or empty: the store's own top."""

    @classmethod
    def of(cls, batch: BatchRecord, store: ArtifactStore) -> ResultsDestination:
        """Where this batch's go, whose audio is in this store."""
        if batch.output_url is None:
            return cls(store, _shared_folder(batch))
        top = cls(store, "")
        # A run may be told to leave its audio in the very folder in which its own input is called `manifest.csv`.
        is_free = all(top._is_free(name, batch.id) for name in CONTENT_TYPES)
        return top if is_free else top.apart(batch.id)

    def apart(self, batch_id: UUID) -> ResultsDestination:
        """A folder that is this batch's alone."""
        return ResultsDestination(self.store, f"results-{batch_id}/")

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
        """Store one of the files under its own name. Raises ArtifactsError, NameTakenError."""
        self.store.put(
            f"{self.folder}{source.name}",
            source,
            content_type=CONTENT_TYPES[source.name],
            sha256=sha256_of(source),
            metadata={BATCH: str(batch_id)},
        )

    def _is_free(self, name: str, batch_id: UUID) -> bool:
        """Whether there is nothing, or a result file of this batch or an earlier one."""
        return standing(self.store.occupant(name), {BATCH: str(batch_id)}, None) in REPLACEABLE


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
