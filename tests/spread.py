"""The order of the tests for several test processes: those that wait for other processes beside those that compute.

xdist hands each process an equal run of the collected tests, and lets idle ones take from the ends of the others. In
the order of folders one process would have all end-to-end tests, which leave the cores idle, and go on long after the
others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
WAITING: Final = ("tests/e2e", "tests/hostile", "tests/integration/cli", "tests/integration/docs")
"""Folders whose tests mostly wait for processes of their own."""

File = list[pytest.Item]


def spread(items: Iterable[pytest.Item], processes: int) -> list[pytest.Item]:
    """Return the tests so that each process's share begins with an equal part of the files that wait.

    The tests of a file stay together, as do their fixtures.
    """
    files = [list(tests) for _, tests in groupby(items, key=lambda item: item.path)]
    waiting = [file for file in files if _waits(file)]
    quick = iter([file for file in files if not _waits(file)])
    size = sum(map(len, files)) // processes
    shares = [_share(waiting[number::processes], quick, size) for number in range(processes)]
    return [item for file in [*(file for share in shares for file in share), *quick] for item in file]


def _waits(file: File) -> bool:
    return file[0].path.is_relative_to(ROOT) and str(file[0].path.relative_to(ROOT)).startswith(WAITING)


def _share(waiting: Sequence[File], quick: Iterator[File], size: int) -> list[File]:
    """One process's files: after each that waits, about as many quick tests, which also make up the end."""
    room = size - sum(map(len, waiting))
    step = room * 2 // 3 // max(1, len(waiting))
    share: list[File] = []
    for file in waiting:
        share.append(file)
        room -= _fill(share, quick, step)
    _fill(share, quick, room)
    return share


def _fill(share: list[File], quick: Iterator[File], tests: int) -> int:
    """Add quick files until there are that many tests more; returns how many there are."""
    added = 0
    while added < tests and (file := next(quick, None)) is not None:
        share.append(file)
        added += len(file)
    return added
