"""A zip of a batch's audio, made while it is being read: nothing is held whole, and nothing is written to disk.

Audio is stored as it is: it doesn't get smaller, and compressing it would cost more than sending it.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from typing import IO, Final, cast

from api_models.status import JobStatus
from worker.gateway import answers, audio, views
from worker.gateway.parts import Gateway
from worker.gateway.problems import ProblemError
from worker.store.queries.tenant_pages import JobEntry

ABOUT: Final = "results.jsonl"


class _Written:
    """A file that can only be written to, and from which what was written is taken away."""

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
        """Everything is out already."""

    def take(self) -> bytes:
        found = b"".join(self._blocks)
        self._blocks.clear()
        return found


def of(gateway: Gateway, entries: Iterable[JobEntry]) -> Iterator[bytes]:
    """The archive, block by block. A job whose audio has been removed is in the list and has no file."""
    written, lines = _Written(), []
    with zipfile.ZipFile(cast("IO[bytes]", written), "w", zipfile.ZIP_STORED) as archive:
        for entry in entries:
            lines.append(answers.line(views.job(entry)))
            if entry.status != JobStatus.SUCCEEDED:
                continue
            try:
                found = audio.place(gateway, entry)
                blocks = found.store.read(found.key, sha256=entry.sha256)
            except ProblemError:
                continue
            if blocks is None:
                continue
            with archive.open(zipfile.ZipInfo(_name(entry, found.key)), "w", force_zip64=True) as file:
                for block in blocks:
                    file.write(block)
                    yield written.take()
        archive.writestr(ABOUT, b"".join(lines))
    yield written.take()


def _name(entry: JobEntry, key: str) -> str:
    """The file's name in the store, which is one on any system; a job's own where that is the list's."""
    name = key.rpartition("/")[2]
    return f"{entry.id}-{name}" if name == ABOUT else name
