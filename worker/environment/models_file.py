"""Finds and reads the user's models file. Parsing is `api_models.model_file`'s. Light: `ttsq voices` needs it."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final

from api_models.model_file import MAX_FILE_BYTES, user_models
from api_models.problems import Fault, InvalidInputError
from api_models.registry import MODELS
from api_models.speech_model import SpeechModel

VARIABLE: Final = "TTSQ_MODELS"


def install() -> None:
    """Add the models of the file to the registry, for commands that need no settings. Raises InvalidInputError:
    the file is unreadable or invalid.
    """
    path = named()
    MODELS.install({} if path is None else read(path))


def named() -> Path | None:
    """The file that the environment or `.env` names."""
    path = os.environ.get(VARIABLE) or _written().get(VARIABLE)
    return Path(path).expanduser() if path else None


def _written() -> dict[str, str]:
    from worker.environment import dotenv  # noqa: PLC0415 - most command lines have the variable or neither

    try:
        return dotenv.read()
    except dotenv.UnreadableError:
        return {}  # which the settings report


def read(path: Path) -> Mapping[str, SpeechModel]:
    """Return the models of a file; an unchanged file is parsed once. Raises InvalidInputError: it
    is unreadable or invalid.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise _unusable(path, "is not a file; name a TOML file, or leave TTSQ_MODELS unset")
        if found.st_size > MAX_FILE_BYTES:
            raise _unusable(path, f"has {found.st_size:,} bytes; {MAX_FILE_BYTES:,} is the limit")
        return _parsed(path.absolute(), found.st_mtime_ns, found.st_size, found.st_ino)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise _unusable(path, f"can't be read ({reason}); correct TTSQ_MODELS, or mend the file") from None
    except ValueError as error:
        if isinstance(error, InvalidInputError):
            raise
        raise _unusable(path, "is not UTF-8; save it in that encoding") from None


@lru_cache(maxsize=8)
def _parsed(path: Path, *_changed: int) -> Mapping[str, SpeechModel]:
    return user_models(path.read_text(encoding="utf-8-sig"), str(path))


def _unusable(path: Path, message: str) -> InvalidInputError:
    return InvalidInputError(str(path), [Fault(message=message)])
