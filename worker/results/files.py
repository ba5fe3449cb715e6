"""Writes the three result files to the local disk, row by row: a batch is never held in memory."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from api_models.batches import ResultFile
from api_models.status import TERMINAL, JobStatus
from worker.results import lines
from worker.store.queries.results import Outcome, Standing

RESULTS: Final = str(ResultFile.RESULTS)
ERRORS: Final = str(ResultFile.ERRORS)
MANIFEST: Final = str(ResultFile.MANIFEST)
FileOf = Callable[[str], str | None]
"""Returns an object's name relative to the folder of the result files, by its URI; None if it is stored elsewhere."""

CONTENT_TYPES: Final = {RESULTS: "application/x-ndjson", ERRORS: "application/x-ndjson", MANIFEST: "text/csv"}


@dataclass(frozen=True, slots=True)
class Written:
    standing: Standing
    """State of exactly the jobs in the files."""
    succeeded: int
    errors: int


def write(jobs: Iterable[Outcome], folder: Path, file_of: FileOf, extra_names: Sequence[str] = ()) -> Written:
    """Write all three files to an existing folder. Unfinished jobs appear in the manifest only.

    `extra_names` are the columns of the sheet that the manifest shows after its own. The manifest begins with a byte
    order mark, because Excel otherwise reads UTF-8 as a legacy encoding. Raises OSError: the folder cannot be written
    to.
    """
    standing, succeeded, errors = Standing(), 0, 0
    with (
        (folder / RESULTS).open("w", encoding="utf-8", newline="") as results_file,
        (folder / ERRORS).open("w", encoding="utf-8", newline="") as errors_file,
        (folder / MANIFEST).open("w", encoding="utf-8-sig", errors="backslashreplace", newline="") as manifest_file,
    ):
        manifest = csv.writer(manifest_file, lineterminator="\n")
        manifest.writerow(lines.columns(extra_names))
        for job in jobs:
            standing = standing.with_job(job)
            file = None if job.uri is None else file_of(job.uri)
            manifest.writerow(lines.manifest(job, file, extra_names))
            if job.status == JobStatus.SUCCEEDED:
                results_file.write(lines.result(job, file))
                succeeded += 1
            elif job.status in TERMINAL:
                errors_file.write(lines.error(job))
                errors += 1
    return Written(standing, succeeded, errors)
