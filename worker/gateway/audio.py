"""Audio to whoever asked for it: an address in the bucket, or the bytes from a folder, whole or in part (RFC 9110)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response, StreamingResponse

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
    found = place(gateway, entry)
    store, key = found.store, found.key
    name = key.rpartition("/")[2]
    if address := gateway.places.address(found, name=name):
        if _is_lost(found, entry):
            raise lost()
        return RedirectResponse(address, 302)
    size = entry.audio_bytes or 0
    part = part_of(wanted, size)
    asked = Part(0, size) if part is None else part
    blocks = store.read(key, start=asked.start, length=asked.length, sha256=entry.sha256)
    if blocks is None:
        raise lost()
    headers = {
        "accept-ranges": "bytes",
        "content-length": str(size if part is None else part.length),
        "content-disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
        "etag": f'"{entry.sha256}"',
    }
    if part is not None:
        headers["content-range"] = f"bytes {part.start}-{part.start + part.length - 1}/{size}"
    return StreamingResponse(blocks, 200 if part is None else 206, headers, entry.content_type or "audio/wav")


def of_results(gateway: Gateway, entry: BatchEntry, name: str) -> Response:
    """One of the result files of a batch that is finished."""
    found = gateway.places.containing(f"{entry.results_uri}/{name}", tenant=entry.tenant, batch_id=entry.id)
    about = None if found is None else found.store.head(found.key)
    # In a folder that several runs share, the files are those of the one that finished last.
    if found is None or about is None or about.metadata.get(BATCH) != str(entry.id):
        raise gone()
    if address := gateway.places.address(found, name=name):
        return RedirectResponse(address, 302)
    blocks = found.store.read(found.key)
    if blocks is None:
        raise gone()
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(blocks, 200, headers, about.content_type)


def place(gateway: Gateway, entry: JobEntry) -> Destination:
    """Where a job's audio lies. Raises ProblemError where that is no place of this job's, or it has been removed."""
    found = gateway.places.containing(entry.uri or "", tenant=entry.tenant, batch_id=entry.batch_id)
    if found is None or entry.purged_at is not None:
        raise gone()
    return found


def _is_lost(found: Destination, entry: JobEntry) -> bool:
    """Whether the object is known not to be there as recorded. A store that can't be asked is left to the client."""
    try:
        there = found.store.head(found.key)
    except ArtifactsError as error:
        if error.code == ArtifactsFault.NO_SUCH_BUCKET:
            raise
        return False
    return there is None or there.sha256 not in {None, entry.sha256}


def lost() -> ProblemError:
    """Said where the row names audio and the store has no such object, or another one."""
    return ProblemError(Trouble.GONE, "Its object is missing from the store, or was replaced. Submit the text again.")


def gone() -> ProblemError:
    """Said where the row names audio that isn't there."""
    return ProblemError(Trouble.GONE, "It has been removed, or lies where this gateway doesn't look.")
