"""Many writes in one transaction, and none of them bound to the fate of another: what can't be stored is found out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from worker.store.errors import is_unstorable

Item = TypeVar("Item")
Result = TypeVar("Result")


def carried_out(
    work: Callable[[Sequence[Item]], Sequence[Result]], items: Sequence[Item]
) -> list[Result | BaseException]:
    """The result of each item, or the error that kept it from one.

    `work` does all or nothing, or may be repeated. Where a value of some item can't be stored, both halves are tried by
    themselves, until it stands alone; any other error is everybody's.
    """
    try:
        results = work(items)
        return [result for result, _ in zip(results, items, strict=True)]
    except BaseException as error:  # noqa: BLE001 - handed to everyone that asked
        if len(items) == 1 or not is_unstorable(error):
            return [error] * len(items)
    middle = len(items) // 2
    return carried_out(work, items[:middle]) + carried_out(work, items[middle:])
