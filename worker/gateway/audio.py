"""Serves audio: a redirect to the bucket, or the bytes from a folder, in full or as a range (RFC 9110)."""

from __future__ import annotations

import inspect
import re
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from api_models.http_problems import Trouble
from worker.artifacts.errors import ArtifactsError, ArtifactsFault
from worker.artifacts.ownership import BATCH
from worker.execution.destinations import Destination
from worker.gateway.parts import Gateway
from worker.gateway.problems import ProblemError
from worker.store.queries.tenant_pages import BatchEntry, JobEntry

RANGE_HEADER: Final[dict[str, Any]] = {
    "name": "Range",
    "in": "header",
    "required": False,
    "description": "A single byte range.",
    "schema": {"type": "string"},
    "example": "bytes=0-1023",
}
NO_HEADERS: Final[Mapping[str, str]] = {}
_RANGE: Final = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    start: int
    length: int


def part_of(range_header: str | None, size: int) -> Part | None:
    """Return the requested range, or None for the whole object, also for a malformed header. Raises ProblemError: the
    range lies outside the object.
    """
    found = _RANGE.fullmatch(range_header.strip()) if range_header else None
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        length = min(int(found[2]), size)
        start = size - length
    else:
        start = int(found[1])
        last = min(int(found[2]), size - 1) if found[2] else size - 1
        if found[2] and int(found[2]) < start:
            return None  # invalid by RFC 9110, and therefore ignored
        length = last - start + 1
    if start >= size or length <= 0:
        raise ProblemError(
            Trouble.RANGE, f"The audio has {size:,} bytes.", headers={"content-range": f"bytes */{size}"}
        )
    return Part(start, length)


def of_job(gateway: Gateway, entry: JobEntry, range_header: str | None) -> Response:
    found = destination_of(gateway, entry)
    if address := gateway.destinations.address(found, name=found.key.rpartition("/")[2]):
        if _is_lost(found, entry):
            raise lost()
        return RedirectResponse(address, 302)
    return streamed(gateway, entry, range_header)


def streamed(
    gateway: Gateway, entry: JobEntry, range_header: str | None, *, headers: Mapping[str, str] = NO_HEADERS
) -> Response:
    """Stream a job's audio through the gateway, from a bucket too."""
    return object_streamed(
        destination_of(gateway, entry),
        size=entry.audio_bytes or 0,
        content_type=entry.content_type or "audio/wav",
        range_header=range_header,
        sha256=entry.sha256,
        headers=headers,
    )


def object_streamed(
    found: Destination,
    *,
    size: int,
    content_type: str,
    range_header: str | None,
    sha256: str | None = None,
    headers: Mapping[str, str] = NO_HEADERS,
) -> Response:
    """Stream one object, in full or as a range. Raises ProblemError: it is missing or is another content."""
    part = part_of(range_header, size)
    requested = Part(0, size) if part is None else part
    blocks = found.store.read(found.key, start=requested.start, length=requested.length, sha256=sha256)
    if blocks is None:
        raise lost()
    given = {
        **headers,
        "accept-ranges": "bytes",
        "content-length": str(requested.length),
        "content-disposition": f"attachment; filename*=UTF-8''{quote(found.key.rpartition('/')[2], safe='')}",
    }
    if sha256 is not None:
        given["etag"] = f'"{sha256}"'
    if part is not None:
        given["content-range"] = f"bytes {part.start}-{part.start + part.length - 1}/{size}"
    media = content_type if content_type.startswith("audio/") else "application/octet-stream"
    return _ClosedStream(blocks, 200 if part is None else 206, given, media)


class _ClosedStream(StreamingResponse):
    """Closes the object when the client leaves early, as a player does that seeks; the file would stay open."""

    def __init__(self, blocks: Iterator[bytes], status: int, headers: Mapping[str, str], media_type: str) -> None:
        super().__init__(blocks, status, headers, media_type)
        self._blocks = blocks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            if isinstance(self._blocks, Generator):
                if inspect.getgeneratorstate(self._blocks) == inspect.GEN_CREATED:
                    next(self._blocks, None)  # a generator that never began would close nothing
                self._blocks.close()


def of_results(gateway: Gateway, entry: BatchEntry, name: str) -> Response:
    found = gateway.destinations.containing(f"{entry.results_uri}/{name}", tenant=entry.tenant, batch_id=entry.id)
    info = None if found is None else found.store.head(found.key)
    # In a folder shared by several runs, the files belong to the batch that finished last.
    if found is None or info is None or info.metadata.get(BATCH) != str(entry.id):
        raise gone()
    if address := gateway.destinations.address(found, name=name):
        return RedirectResponse(address, 302)
    blocks = found.store.read(found.key)
    if blocks is None:
        raise gone()
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(blocks, 200, headers, info.content_type)


def destination_of(gateway: Gateway, entry: JobEntry) -> Destination:
    """Locate a job's audio. Raises ProblemError if it was removed or lies outside the job's destination."""
    found = gateway.destinations.containing(entry.uri or "", tenant=entry.tenant, batch_id=entry.batch_id)
    if found is None or entry.purged_at is not None:
        raise gone()
    return found


def _is_lost(found: Destination, entry: JobEntry) -> bool:
    """Return whether the object is known to be missing or replaced. If the store fails, the client finds out."""
    try:
        stored = found.store.head(found.key)
    except ArtifactsError as error:
        if error.code == ArtifactsFault.NO_SUCH_BUCKET:
            raise
        return False
    return stored is None or stored.sha256 not in {None, entry.sha256}


def lost() -> ProblemError:
    return ProblemError(Trouble.GONE, "The audio is missing from the store or was replaced. Submit the text again.")


def gone() -> ProblemError:
    return ProblemError(Trouble.GONE, "The file was removed, or is stored outside this gateway's destination.")
