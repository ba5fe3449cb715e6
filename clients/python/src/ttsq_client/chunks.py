"""Cuts any number of jobs into batches. Pure; the same jobs are always cut alike."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from ttsq_client.encoding import encoded

CHUNK_JOBS: Final = 1_000
MAX_JOBS: Final = 10_000
"""The gateway's own limit of one request."""
MAX_BYTES: Final = 8 * 1024 * 1024


def chunks(jobs: Iterable[str | Mapping[str, Any]], most: int) -> Iterator[list[dict[str, Any]]]:
    """Yield lists of at most `most` jobs and `MAX_BYTES` of JSON.

    Raises:
        ValueError: `most` is out of range, or a job is neither a text nor a mapping.
    """
    if not 0 < most <= MAX_JOBS:
        raise ValueError(f"a chunk has 1 to {MAX_JOBS:,} jobs")
    part: list[dict[str, Any]] = []
    size = 0
    for number, given in enumerate(jobs):
        job = _fields(given, number)
        length = len(json.dumps(job, ensure_ascii=False).encode("utf-8", "surrogatepass"))
        if part and (len(part) == most or size + length > MAX_BYTES):
            yield part
            part, size = [], 0
        part.append(job)
        size += length
    if part:
        yield part


def _fields(given: object, number: int) -> dict[str, Any]:
    match given:
        case str():
            return {"text": given}
        case Mapping():
            return encoded(given)
        case _:
            raise ValueError(f"job {number} is neither a text nor a mapping with the fields of a job")
