"""The three files on this machine's disk, a row at a time: nothing of a batch is held whole."""

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
"""What an object is called from the folder of the result files, by its address; None where it lies elsewhere."""

CONTENT_TYPES: Final = {RESULTS: "application/x-ndjson", ERRORS: "application/x-ndjson", MANIFEST: "text/csv"}


@dataclass(frozen=True, slots=True)
class Written:
    """What was written."""

    standing: Standing
    """Of the very jobs that are in the files."""
    succeeded: int
    errors: int


def write(jobs: Iterable[Outcome], folder: Path, file_of: FileOf, extra_names: Sequence[str] = ()) -> Written:
    """All three into an existing folder. Jobs that aren't over are in the manifest alone.

    `extra_names` are the columns of the sheet that the manifest shows beside its own. The manifest begins with a byte
    order mark: without one, Excel takes UTF-8 for an encoding of old Windows.

    Raises:
        OSError: the folder can't take them.
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
