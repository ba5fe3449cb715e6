"""Coroutines that await only `concurrent.futures.Future`, so that any driver can run them.

This is not asyncio: between two waits a coroutine may block, because it owns a thread until its next wait.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Future
from types import coroutine
from typing import Protocol, TypeVar

T = TypeVar("T")
Steps = Coroutine[Future[object], None, T]
"""A coroutine that yields a future per wait and returns a T."""


class Offload(Protocol):
    """Runs blocking work on another thread."""

    def __call__(self, work: Callable[[], T], /) -> Future[T]:
        """Return a future of the work's result or exception."""


@coroutine
def wait_for(future: Future[T]) -> Generator[Future[T], None, T]:
    """Wait for a future and return or raise its result."""
    if not future.done():
        yield future
    return future.result()


def resolved(result: T) -> Future[T]:
    future: Future[T] = Future()
    future.set_result(result)
    return future


def inline(work: Callable[[], T]) -> Future[T]:
    """An `Offload` that runs the work on the calling thread."""
    return resolved(work())


def run_here(steps: Coroutine[Future[object], None, T]) -> T:
    """Drive a coroutine to its end on this thread, blocking during waits."""
    try:
        while True:
            steps.send(None).exception()
    except StopIteration as end:
        found: T = end.value
        return found
