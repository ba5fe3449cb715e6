"""What an error of the file system means for a folder of audio, in words that name the folder and the remedy. Pure."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Final

from worker.artifacts.errors import ArtifactsError, ArtifactsFault

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_PASSING: Final = frozenset({errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EMFILE, errno.ENFILE, errno.ENOENT})


def gone(root: Path) -> ArtifactsError:
    """The folder was there and is not any more. Making it anew here could fill the disk under an unmounted volume."""
    return ArtifactsError(
        ArtifactsFault.NOT_WRITABLE,
        f'the audio folder {root} has gone; mount its volume again, or create it with: mkdir -p "{root}"',
    )


def fault_of(error: OSError, root: Path) -> ArtifactsError:
    """Classify an error raised while reading or writing below `root`."""
    detail = f"{error.strerror or error} ({errno.errorcode.get(error.errno or 0, '?')}): {error.filename or root}"
    match error.errno:
        case code if code in _FULL:
            trouble, message = ArtifactsFault.NO_SPACE, f"no space left for the audio folder {root}; free some there"
        case errno.EACCES | errno.EPERM:
            trouble = ArtifactsFault.NOT_WRITABLE
            message = f"this user may not write to the audio folder {root}; change its owner or mode, or name another"
        case errno.EROFS:
            trouble = ArtifactsFault.NOT_WRITABLE
            message = f"the audio folder {root} is on a read-only file system; mount it writable, or name another"
        case errno.ENOTDIR | errno.EEXIST | errno.EISDIR:
            trouble = ArtifactsFault.NOT_WRITABLE
            message = f"in the audio folder {root} a file stands where a folder is needed, or the other way round"
        case _:
            trouble, message = ArtifactsFault.UNEXPECTED, f"the audio folder {root} can't be used: {error.strerror}"
    return ArtifactsError(trouble, message, detail=detail, transient=error.errno in _PASSING)
