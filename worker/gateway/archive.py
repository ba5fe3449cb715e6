"""Streams a zip of a batch's audio: nothing is held in full, and nothing is written to disk.

Audio is stored uncompressed: it would not shrink, and compressing costs more than sending.
"""

from __future__ import annotations

import zipfile
from collections.abc import Collection, Iterable, Iterator
from typing import IO, Final, cast

from api_models.status import JobStatus
from worker.gateway import answers, audio, views
from worker.gateway.parts import Gateway
from worker.gateway.problems import ProblemError
from worker.store.queries.tenant_pages import JobEntry

RESULTS_NAME: Final = "results.jsonl"


class _ZipBuffer:
    """A write-only file whose content is taken away as it is written."""

    def __init__(self) -> None:
        self._blocks: list[bytes] = []
        self._size = 0

    def write(self, block: bytes) -> int:
        self._blocks.append(bytes(block))
        self._size += len(block)
        return len(block)

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        pass

    def take(self) -> bytes:
        found = b"".join(self._blocks)
        self._blocks.clear()
        return found


def of(gateway: Gateway, entries: Iterable[JobEntry]) -> Iterator[bytes]:
    """Yield the archive in blocks. A job whose audio was removed is listed in the results but has no file."""
    buffer, lines, taken = _ZipBuffer(), [], {RESULTS_NAME}
    with zipfile.ZipFile(cast("IO[bytes]", buffer), "w", zipfile.ZIP_STORED) as archive:
        for entry in entries:
            lines.append(answers.line(views.job(entry, gateway.base)))
            if entry.status != JobStatus.SUCCEEDED:
                continue
            try:
                found = audio.destination_of(gateway, entry)
                blocks = found.store.read(found.key, sha256=entry.sha256)
            except ProblemError:
                continue
            if blocks is None:
                continue
            name = _name(entry, found.key, taken)
            taken.add(name.casefold())
            with archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as file:
                for block in blocks:
                    file.write(block)
                    yield buffer.take()
        archive.writestr(RESULTS_NAME, b"".join(lines))
    yield buffer.take()


def _name(entry: JobEntry, key: str, taken: Collection[str]) -> str:
    """Return the file name from the store, valid on every system; with the job's id where another file has it.

    `taken` is in lower case: some systems unpack names that differ in case to one file.
    """
    name = key.rpartition("/")[2]
    return f"{entry.id}-{name}" if name.casefold() in taken else name
