"""Audio to whoever asked for it: an address in the bucket, or the bytes from a folder, whole or in part (RFC 9110)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response, StreamingResponse

from api_models.http_problems import Trouble
from worker.artifacts.store import ArtifactStore
from worker.gateway.parts import Gateway
from worker.gateway.problems import ProblemError
from worker.store import batches
from worker.store.listings import JobEntry

LINK_SECONDS: Final = 300
RANGE_HEADER: Final[dict[str, Any]] = {
    "name": "Range",
    "in": "header",
    "required": False,
    "description": "One range of bytes.",
    "schema": {"type": "string"},
    "example": "bytes=0-1023",
}
_RANGE: Final = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """Some of an object's bytes."""

    start: int
    length: int


def part_of(wanted: str | None, size: int) -> Part | None:
    """The part that a `Range` asks for; None for the whole, which also answers what can't be understood.

    Raises:
        ProblemError: the object has no such part.
    """
    found = _RANGE.fullmatch(wanted.strip()) if wanted else None
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        length = min(int(found[2]), size)
        start = size - length
    else:
        start = int(found[1])
        last = min(int(found[2]), size - 1) if found[2] else size - 1
        if found[2] and int(found[2]) < start:
            return None  # no range at all, by the specification
        length = last - start + 1
    if start >= size or length <= 0:
        raise ProblemError(
            Trouble.RANGE, f"The audio has {size:,} bytes.", headers={"content-range": f"bytes */{size}"}
        )
    return Part(start, length)


def of_job(gateway: Gateway, entry: JobEntry, wanted: str | None) -> Response:
    """The audio of a job that succeeded."""
    store, key = place(gateway, entry)
    name = key.rpartition("/")[2]
    if link := store.link(key, seconds=LINK_SECONDS, name=name):
        return RedirectResponse(link, 302)
    size = entry.audio_bytes or 0
    part = part_of(wanted, size)
    blocks = store.read(key) if part is None else store.read(key, start=part.start, length=part.length)
    if blocks is None:
        raise gone()
    headers = {
        "accept-ranges": "bytes",
        "content-length": str(size if part is None else part.length),
        "content-disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
        "etag": f'"{entry.sha256}"',
    }
    if part is not None:
        headers["content-range"] = f"bytes {part.start}-{part.start + part.length - 1}/{size}"
    return StreamingResponse(blocks, 200 if part is None else 206, headers, entry.content_type or "audio/wav")


def place(gateway: Gateway, entry: JobEntry) -> tuple[ArtifactStore, str]:
    """Where a job's audio lies: a store that is known here, and a key in it. An address alone opens nothing."""
    output: str | None = None
    if entry.batch_id is not None:
        with gateway.database.read() as connection:
            batch = batches.by_id(connection, entry.batch_id)
        output = None if batch is None else batch.output_url
    store = gateway.places.store(output or gateway.places.default_url)
    key = store.key_of(entry.uri or "")
    if key is None:
        raise gone()
    return store, key


def bytes_of(gateway: Gateway, entry: JobEntry) -> Iterator[bytes]:
    """The whole audio, block by block. Raises ProblemError where it is gone."""
    store, key = place(gateway, entry)
    blocks = store.read(key)
    if blocks is None:
        raise gone()
    return blocks


def gone() -> ProblemError:
    """Said where the row names audio that isn't there."""
    return ProblemError(Trouble.GONE, "The audio has been removed, or lies where this gateway doesn't look.")
