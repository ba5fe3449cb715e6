"""Groups independent writes into one transaction and isolates those that cannot be stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from worker.store.errors import is_unstorable

Item = TypeVar("Item")
Result = TypeVar("Result")


def carried_out(
    work: Callable[[Sequence[Item]], Sequence[Result]], items: Sequence[Item]
) -> list[Result | BaseException]:
    """Return the result of each item, or the error that prevented it.

    `work` must be atomic or repeatable. If an item's value cannot be stored, each half is tried separately, down to the
    single item; any other error applies to all.
    """
    try:
        results = work(items)
        return [result for result, _ in zip(results, items, strict=True)]
    except BaseException as error:  # noqa: BLE001 - handed to everyone that asked
        if len(items) == 1 or not is_unstorable(error):
            return [error] * len(items)
    middle = len(items) // 2
    return carried_out(work, items[:middle]) + carried_out(work, items[middle:])
