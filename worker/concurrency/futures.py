"""Waits as futures: a coroutine here awaits nothing else, so whoever drives it needs to know nothing else.

It is no asyncio. Between two waits a coroutine may block as any function may: it has a thread for so long.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Future
from types import coroutine
from typing import Protocol, TypeVar

T = TypeVar("T")
Steps = Coroutine[Future[object], None, T]
"""A coroutine of this kind: each wait of it is a future, and it gives a T in the end."""


class Offload(Protocol):
    """Has something that blocks done by another thread."""

    def __call__(self, work: Callable[[], T], /) -> Future[T]:
        """What it gives or raises."""


@coroutine
def wait_for(future: Future[T]) -> Generator[Future[T], None, T]:
    """Wait for a future, without a thread where the driver has a better use for it; gives or raises its result."""
    if not future.done():
        yield future
    return future.result()


def resolved(result: T) -> Future[T]:
    """A wait that is over."""
    future: Future[T] = Future()
    future.set_result(result)
    return future


def inline(work: Callable[[], T]) -> Future[T]:
    """`Offload` where there is nobody else."""
    return resolved(work())


def run_here(steps: Coroutine[Future[object], None, T]) -> T:
    """Drive a coroutine to its end on this thread, which sleeps through the waits."""
    try:
        while True:
            steps.send(None).exception()
    except StopIteration as end:
        found: T = end.value
        return found
