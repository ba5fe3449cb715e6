"""Files of a folder changed one writer at a time: what has a name, how it is given away, and how it is taken back."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from worker.artifacts.partial import sha256_of

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows, where writers of one folder aren't kept apart
    fcntl = None  # type: ignore[assignment]

ABSENT: Final = (FileNotFoundError, NotADirectoryError)
_NO_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS, errno.EXDEV})


@contextmanager
def one_writer(folder: Path) -> Iterator[None]:
    """Keep other writers of ours away from the files of a folder, whatever path they came by.

    The lock is on the folder itself. On file systems without such locks (some network mounts) it has no effect.
    """
    if fcntl is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def is_file(path: Path) -> bool:
    """Whether the name itself is a regular file's: links, pipes and devices are never followed or opened."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except ABSENT:
        return False
    except OSError as error:
        if error.errno == errno.ELOOP:  # links among its folders lead to one another
            return False
        raise


def is_taken(path: Path) -> bool:
    """Whether anything has the name, or a file stands where one of its folders should be."""
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno in {errno.ENOTDIR, errno.ELOOP}:
            return True
        raise
    return True


def give_name(arrived: Path, target: Path) -> None:
    """Show an arrived file under a name that nothing has. Raises FileExistsError where something has taken it."""
    try:
        os.link(arrived, target)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        arrived.replace(target)


def take_away(target: Path, aside: Path, sha256: str | None) -> str | None:
    """Remove a file, where it has this content (any, for None). Returns the checksum of what was removed.

    It is moved aside first: what another program puts under the name meanwhile is put back.
    """
    before, found = _identity(target), sha256_of(target)
    if sha256 is not None and found != sha256:
        return None
    target.rename(aside)
    if _identity(aside) != before:
        with suppress(FileExistsError):
            give_name(aside, target)
        return None
    aside.unlink()
    return found


def _identity(path: Path) -> tuple[int, int, int]:
    state = path.lstat()
    return state.st_ino, state.st_size, state.st_mtime_ns
