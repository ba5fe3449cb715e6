"""Where a batch's result files are stored: beside its audio. Never overwrites a file that another program wrote."""

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
    store: ArtifactStore
    folder: str
    """Ends with a slash; empty for the top of the store."""

    @classmethod
    def of(cls, batch: BatchRecord, store: ArtifactStore) -> ResultsDestination:
        if batch.output_url is None:
            return cls(store, _shared_folder(batch))
        top = cls(store, "")
        # The audio may go to the folder that holds the user's input, which may be named `manifest.csv`.
        is_free = all(top._is_free(name, batch.id) for name in CONTENT_TYPES)
        return top if is_free else top.apart(batch.id)

    def apart(self, batch_id: UUID) -> ResultsDestination:
        return ResultsDestination(self.store, f"results-{batch_id}/")

    @property
    def uri(self) -> str:
        return self.store.uri(f"{self.folder}{RESULTS}").rpartition("/")[0]

    def namer(self) -> FileOf:
        """Return a function from URI to file name, relative to this folder. Most objects are in it, and parsing each
        URI would take most of the time.
        """
        prefix = f"{self.uri}/"
        read = unquote if prefix.startswith("file:") else str

        def file_of(uri: str) -> str | None:
            if uri.startswith(prefix):
                return read(uri.removeprefix(prefix))
            key = self.store.key_of(uri)
            return f"../{key}" if key is not None and self.folder.count("/") == 1 else None

        return file_of

    def put(self, source: Path, batch_id: UUID) -> None:
        """Store a file under its name. Raises ArtifactsError: the store failed; NameTakenError: the name belongs to
        another file.
        """
        self.store.put(
            f"{self.folder}{source.name}",
            source,
            content_type=CONTENT_TYPES[source.name],
            sha256=sha256_of(source),
            metadata={BATCH: str(batch_id)},
        )

    def _is_free(self, name: str, batch_id: UUID) -> bool:
        """Whether the name is unused, or belongs to a result file of this batch or an earlier one."""
        return standing(self.store.occupant(name), {BATCH: str(batch_id)}, None) in REPLACEABLE


def _shared_folder(batch: BatchRecord) -> str:
    """For a store shared by batches, independent of its key template. No audio ends in `.jsonl` or `.csv`."""
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
