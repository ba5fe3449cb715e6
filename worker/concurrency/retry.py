"""Repeats asynchronous work for as long as an outage lasts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
E = TypeVar("E", bound=Exception)


async def retry(
    work: Callable[[], Awaitable[T]],
    errors: type[E],
    *,
    failed: Callable[[E, int], Awaitable[None]],
    recovered: Callable[[], object],
) -> T:
    """Return the result of `work`. `failed` gets the number of earlier failures; it waits, or raises to give up.
    `recovered` is called after a success that followed a failure.
    """
    tries = 0
    while True:
        try:
            result = await work()
        except errors as error:
            await failed(error, tries)
            tries += 1
        else:
            if tries:
                recovered()
            return result
