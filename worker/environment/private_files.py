"""Creates the files and folders that only the program's user may read: queue, spool, logs.

Their modes are 0600 and 0700 whatever the umask; earlier ones are tightened.

Audio and result files for people are not written here: their modes follow the umask.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final, TextIO

OWN_FOLDER: Final = ".ttsq"
FILE_MODE: Final = 0o600
FOLDER_MODE: Final = 0o700
_OTHERS: Final = 0o077


def make_folder(path: Path, *, is_own: bool = False) -> None:
    """Create a folder that others can't enter, with those above it that are missing. Raises OSError.

    Of folders that are there, `.ttsq` is tightened; with `is_own` this one too, unless others use it.
    """
    for missing in reversed([folder for folder in (path, *path.parents) if not folder.exists()]):
        with suppress(FileExistsError):
            missing.mkdir(FOLDER_MODE)
            missing.chmod(FOLDER_MODE)  # a umask may have taken rights of our own
    if not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    for folder in (path, *path.parents):
        if folder.name == OWN_FOLDER or (is_own and folder == path and not _is_shared(path)):
            tighten(folder)


def make_file(path: Path) -> None:
    """Create an empty file that others can't read, and tighten one that is there. Raises OSError."""
    os.close(_descriptor(path, 0))


def emptied(path: Path | str) -> int:
    """Return the descriptor of an empty file, open for writing. Raises OSError."""
    return _descriptor(path, os.O_TRUNC)


def _descriptor(path: Path | str, flags: int) -> int:
    opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | flags, FILE_MODE)
    with suppress(OSError):
        if os.fstat(opened).st_mode & _OTHERS:
            os.fchmod(opened, FILE_MODE)
    return opened


def write(path: Path, content: bytes) -> None:
    """Write a whole file. Raises OSError."""
    with opened(path) as file:
        file.write(content)


def opened(path: Path) -> BinaryIO:
    """Open an empty file for writing. Raises OSError."""
    return os.fdopen(emptied(path), "wb")


def appended(path: Path) -> TextIO:
    """Open a text file for writing at its end. Raises OSError."""
    return os.fdopen(_descriptor(path, os.O_APPEND), "a", encoding="utf-8")


def tighten(path: Path) -> None:
    """Take others' rights to a file or folder of this user. A link is not followed; another user's is left as it is."""
    with suppress(OSError):
        state = path.lstat()
        if not stat.S_ISLNK(state.st_mode) and state.st_mode & _OTHERS:
            path.chmod(stat.S_IMODE(state.st_mode) & ~_OTHERS)


def unwritable(folder: Path, content: bytes = b"") -> OSError | None:
    """Why no file could be created in a folder, present or still to be created; None if one could.

    Leaves no trace where the system has files without a name (Linux): not even the folder's time changes.
    """
    at = folder
    while not at.exists() and at != at.parent:
        at = at.parent
    try:
        _try_to_write(at, content)
    except OSError as error:
        return error
    return None


def _try_to_write(folder: Path, content: bytes) -> None:
    if hasattr(os, "O_TMPFILE"):
        try:
            nameless = os.open(folder, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, FILE_MODE)
        except OSError as error:
            if error.errno not in _NO_NAMELESS_FILES:
                raise
        else:
            try:
                os.write(nameless, content)
            finally:
                os.close(nameless)
            return
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(content)


_NO_NAMELESS_FILES: Final = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL})
"""The file system, or the kernel, has none."""


def _is_shared(folder: Path) -> bool:
    """Whether others use a folder too: a temporary one, a home, the working directory, or another user's."""
    state = folder.stat()
    if state.st_mode & stat.S_ISVTX or state.st_uid != os.geteuid():
        return True
    return folder.resolve() in {Path("/"), Path.home().resolve(), Path.cwd().resolve()}
