"""Parses large bodies in a thread, a few at a time, and stops when the client has disconnected.

Weakness: threads share one interpreter, so what two of them parse slows down the others; the limit bounds by how much.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Final, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from api_models.http_problems import Trouble
from worker.gateway.problems import ProblemError

MAX_PARSING: Final = 2
"""Bodies parsed at the same time in one process; the others wait."""

IN_MEMORY_BYTES: Final = 64 * 1024
"""Of each body; the rest is on disk until the body is complete."""

_Result = TypeVar("_Result")


async def spool(request: Request, content: IO[bytes], max_bytes: int | None = None) -> str:
    """Spool the body to a file; return it rewound, with its SHA-256."""
    digest, size = hashlib.sha256(), 0
    async for block in request.stream():
        digest.update(block)
        size += len(block)
        if max_bytes is not None and size > max_bytes:
            detail = f"JSON may have at most {max_bytes:,} bytes; upload a sheet instead."
            raise ProblemError(Trouble.TOO_LARGE, detail, headers={"connection": "close"})
        content.write(block)
    content.seek(0)
    return digest.hexdigest()


@dataclass(slots=True)
class Slots:
    """Bounds the requests of one kind; used on the event loop only."""

    most: int
    detail: str
    used: int = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Take a slot for the block. Raises ProblemError if there is none."""
        if self.used >= self.most:
            raise ProblemError(Trouble.OVERLOADED, self.detail, retry_after=1)
        self.used += 1
        try:
            yield
        finally:
            self.used -= 1


async def run(request: Request, semaphore: asyncio.Semaphore, work: Callable[[Callable[[], bool]], _Result]) -> _Result:
    """Run `work` in a thread. Its argument returns whether the client has disconnected.

    The request's body must have been read to its end.
    """
    gone = threading.Event()
    watcher = asyncio.create_task(_watch(request, gone))
    try:
        async with semaphore:
            return await run_in_threadpool(work, gone.is_set)
    finally:
        watcher.cancel()


async def _watch(request: Request, gone: threading.Event) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    gone.set()
